# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on Snapshot objects, from 1.4 on; since 1.5 recurring jobs make and delete these."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import checks, logs, names, world
from longhorn_qa_lab.longhorn.decide import Object, owner_reference
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Part


class SnapshotObjects(Part):
    """Snapshots as objects: made and deleted here, brought about by their controller."""

    def act_on_snapshot_objects(self, volume: str, action: str, body: Object, base: str) -> Object:
        """One of the actions snapshotCR… of a volume."""
        if action == "snapshotCRList":
            found = [view(document, base=base) for document in _in_order(self._w.all(world.SNAPSHOTS, volume=volume))]
            url = f"{base}/volumes/{volume}"
            return {"data": found, "links": {"self": url}, "resourceType": "snapshotCR", "type": "collection"}
        name = str(body.get("name") or "")
        if action == "snapshotCRCreate":
            return view(self._create_snapshot_object(volume, name, body.get("labels") or {}), base=base)
        if action == "snapshotCRGet":
            return view(self._snapshot_object(volume, name), base=base)
        if action == "snapshotCRDelete":
            self._delete_snapshot_object(volume, name)
            return {"actions": {}, "links": {"self": f"{base}/volumes/{volume}"}, "type": "empty"}
        raise ApiFault(f"the lab's manager does not know the action {action} of volumes", 404)

    def _snapshot_object(self, volume: str, name: str) -> Object:
        found = self._w.find(world.SNAPSHOTS, name)
        if found is None or found["spec"]["volume"] != volume:
            raise ApiFault(f'failed to get snapshot: snapshot.longhorn.io "{name}" not found')
        return found

    def _create_snapshot_object(self, volume: str, name: str, labels: t.Mapping[str, str]) -> Object:
        owner = self._w.find(world.VOLUMES, volume)
        with Doing("failed to create snapshot"):
            if owner is None:
                raise checks.Refused(f'volume.longhorn.io "{volume}" not found')
            wanted = new(owner, name or f"snap-{names.random_id(16)}", create=True, labels=labels)
            made = self._w.create(world.SNAPSHOTS, wanted)
        self._c.log.info(
            f"Created snapshot CR {made['metadata']['name']} with labels {logs.go_map(labels)} for volume {volume}"
        )
        return made

    def _delete_snapshot_object(self, volume: str, name: str) -> None:
        """Only asks; an object that is Terminating already may be asked for again."""
        with Doing("failed to delete snapshot"):
            self._w.delete(world.SNAPSHOTS, name)
        self._c.log.info(f"Deleted snapshot CR {name} of volume {volume}")


def _in_order(found: t.Sequence[Object]) -> list[Object]:
    """Objects of one second in the order of their snapshots, which nobody else can tell."""
    parents = {item["metadata"]["name"]: (item.get("status") or {}).get("parent", "") for item in found}

    def depth(name: str) -> int:
        return 1 + depth(parents[name]) if name in parents else 0

    return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], depth(item["metadata"]["name"])))


def new(volume: Object, name: str, *, create: bool, labels: t.Mapping[str, str] | None) -> Object:
    """A Snapshot object, to be made true or the picture of what is there."""
    return {
        "kind": "Snapshot",
        "metadata": {
            "name": name,
            "namespace": names.NAMESPACE,
            "labels": {names.VOLUME_LABEL: volume["metadata"]["name"]},
            "finalizers": [names.FINALIZER],
            "ownerReferences": [owner_reference(volume)],
        },
        "spec": {"volume": volume["metadata"]["name"], "createSnapshot": create, "labels": dict(labels or {}) or None},
    }


def view(document: Object, *, base: str) -> Object:
    """A Snapshot object as the API shows it."""
    spec, status, name = document["spec"], document.get("status") or {}, document["metadata"]["name"]
    return {
        "actions": {},
        "checksum": status.get("checksum", ""),
        "children": status.get("children"),
        "crCreationTime": document["metadata"]["creationTimestamp"],
        "createSnapshot": bool(spec.get("createSnapshot")),
        "creationTime": status.get("creationTime", ""),
        "error": status.get("error", ""),
        "id": name,
        "labels": spec.get("labels") or status.get("labels"),
        "links": {"self": f"{base}/snapshotcrs/{name}"},
        "markRemoved": bool(status.get("markRemoved")),
        "name": name,
        "ownerID": status.get("ownerID", ""),
        "parent": status.get("parent", ""),
        "readyToUse": bool(status.get("readyToUse")),
        "restoreSize": status.get("restoreSize", 0),
        "size": status.get("size", 0),
        "type": "snapshotCR",
        "userCreated": bool(status.get("userCreated")),
        "volume": spec["volume"],
    }
