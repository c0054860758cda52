# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on engine images, settings, nodes and instance managers."""

from __future__ import annotations

from longhorn_qa_lab.longhorn import checks, context, logs, names, settings, views, world
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Part


class Cluster(Part):
    """What a cluster has besides volumes."""

    def engine_images(self, base: str) -> list[Object]:
        return [self._image_view(document, base) for document in self._w.all(world.ENGINE_IMAGES)]

    def engine_image(self, name: str, base: str) -> Object:
        found = self._w.find(world.ENGINE_IMAGES, name)
        if found is None:
            raise ApiFault(f"error getting engine image '{name}': engineimage.longhorn.io \"{name}\" not found")
        return self._image_view(found, base)

    def create_engine_image(self, body: Object, base: str) -> Object:
        image = str(body.get("image", "")).strip()
        with Doing(f"unable to create engine image {image}"):
            if not image or " " in image:
                raise checks.Refused(f"invalid image name '{image}'")
            if self._w.find(world.ENGINE_IMAGES, names.engine_image(image)) is not None:
                raise checks.Refused(f'engineimages.longhorn.io "{names.engine_image(image)}" already exists')
            return self._image_view(context.create_engine_image(self._c, image), base)

    def delete_engine_image(self, name: str) -> None:
        with Doing("unable to delete engine image"):
            found = self._w.find(world.ENGINE_IMAGES, name)
            if found is None:
                raise checks.Refused(f'engineimage.longhorn.io "{name}" not found')
            if found["spec"]["image"] == self._c.setting(settings.DEFAULT_ENGINE_IMAGE):
                raise checks.Refused("unable to delete the default engine image")
            if (found.get("status") or {}).get("refCount"):
                raise checks.Refused("unable to delete the engine image while being used")
            self._w.delete(world.ENGINE_IMAGES, name)
        self._c.log.debug(f"Deleted engine image {name}")

    def _image_view(self, document: Object, base: str) -> Object:
        return views.engine_image(
            document, default=self._c.setting(settings.DEFAULT_ENGINE_IMAGE), base=base, now=logs.now()
        )

    def settings(self, base: str) -> list[Object]:
        known = settings.of(self._c.release)
        found = [document for document in self._w.all(world.SETTINGS) if document["metadata"]["name"] in known]
        found.sort(key=lambda document: str(document["metadata"]["name"]))
        return [self._setting_view(document, base) for document in found]

    def setting(self, name: str, base: str) -> Object:
        found = self._w.find(world.SETTINGS, name)
        if found is None or name not in settings.of(self._c.release):
            raise ApiFault(f"invalid setting {name}: setting {name} is not supported")
        return self._setting_view(found, base)

    def _setting_view(self, document: Object, base: str) -> Object:
        definition = settings.of(self._c.release)[document["metadata"]["name"]]
        return views.setting(document, definition=definition, base=base, now=logs.now())

    def update_setting(self, name: str, body: Object, base: str) -> Object:
        """A setting marked read-only is changed all the same: Longhorn 1.0 only hides it in its own page."""
        value = str(body.get("value") or "").strip()
        with Doing("fail to set settings with invalid " + name):
            settings.require(name, value, self._c.release, self._c.setting)
            document = context.set_value(self._c, name, value)
        self._c.log.debug(f"Updated setting {name} to {value}")
        return self._setting_view(document, base)

    def backup_targets(self, base: str) -> list[Object]:
        return [views.backup_target(document, base=base) for document in self._w.all(world.BACKUP_TARGETS)]

    def nodes(self, base: str) -> list[Object]:
        return [
            views.node(document, address=self._c.pod_ip, base=base, now=logs.now())
            for document in self._w.all(world.NODES)
        ]

    def instance_managers(self, base: str) -> list[Object]:
        return [views.instance_manager(document, base=base) for document in self._w.all(world.INSTANCE_MANAGERS)]
