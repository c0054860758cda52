# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes deletions of some volumes fail, and stops it: one function for each kind of fault.

Everything that is made carries the run's label, and every setting is in the run's journal, so that ``longhorn_run``
finds and reverts it after a crash.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    NotFound,
    Refused,
    WaitTimeout,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.refusing_bucket import RefusingBucket
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Retention, S3Store
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock, Wanted, wait_for
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault, FaultType
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import admission, faults, names, store_rules
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.admission import Refusal
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, pending
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.store_rules import Rule
from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    longhorn_engine_image,
    longhorn_setting,
    longhorn_volume,
    run_journal,
    store_options,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, assumed

T = t.TypeVar("T")
# In this order: Longhorn refuses the second while the first is true.  (facts 5.3, 10)
_PURGE_SETTINGS = ((names.AUTO_CLEANUP_SETTING, "false"), (names.DISABLE_PURGE_SETTING, "true"))


# The rule is known again by it. GOVERNANCE: who has the right to may still delete, and empty a test bucket.
_RETENTION = Retention("GOVERNANCE", days=1)


@dataclass(frozen=True)
class Outcome:
    """What was or would be changed, in words, and what is there now."""

    actions: tuple[str, ...] = ()
    hits: Mapping[str, int] = field(default_factory=dict)  # how often it fired, by volume
    proof: tuple[str, ...] = ()  # what was seen to fail when it was tried
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wish:
    params: Mapping[str, t.Any]
    here: Fixtures
    release: str
    check_mode: bool
    clock: Clock

    @property
    def present(self) -> bool:
        return bool(self.params["state"] == "present")

    @property
    def deletions(self) -> tuple[Fault, ...]:
        return tuple(self.params["deletions"])

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple(self.params["volumes"])

    @property
    def run_id(self) -> str:
        return self.params.get("run_id") or ""

    @property
    def refusal(self) -> Refusal:
        return Refusal(self.run_id, self.deletions, self.volumes, self.here.namespace)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the fault is there, or it is not."""
    _refuse_bad(params)
    here = Fixtures(params, client=client, clock=clock)
    here.require_longhorn(params)
    wish = _Wish(params, here, here.release, check_mode, clock)
    effects = _effects(wish)
    outcome = _TYPES[params["type"]](wish)
    if outcome.actions and not (wish.present or check_mode):
        outcome = replace(outcome, warnings=(*outcome.warnings, *_caught_up(wish, effects)))
    return {
        "changed": bool(outcome.actions),
        "actions": list(outcome.actions),
        "effects": effects,
        "hits": dict(outcome.hits),
        "proof": list(outcome.proof),
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in outcome.actions)},
        **({"warnings": list(outcome.warnings)} if outcome.warnings else {}),
    }


def _refuse_bad(params: Mapping[str, t.Any]) -> None:
    problems = names.run_id_problems(params.get("run_id") or "")
    problems += [problem for volume in params["volumes"] for problem in names.volume_name_problems(volume)]
    needed = {"engine-image": "image", "patched-engine-image": "image", "default-engine-image": "image"}
    needed |= {"backup-store": "store_proxy"}
    option = needed.get(params["type"])
    if option and params["state"] == "present" and not params.get(option):
        problems.append(f"{option} is needed for a fault of type {params['type']}")
    if params["state"] == "present" and not params["volumes"] and params["type"] not in _FOR_ALL:
        problems.append("volumes is empty: whose deletions should fail?")
    problems += [problem for option in ("store_verb", "store_key") for problem in _unreadable(params, option)]
    if problems:
        raise BadInput("; ".join(problems), subject=f"fault {params['type']}")


def _unreadable(params: Mapping[str, t.Any], option: str) -> list[str]:
    try:
        re.compile(params[option])
    except re.error as error:
        return [f"{option} {params[option]!r} is not a regular expression: {error}"]
    return []


def _effects(wish: _Wish) -> dict[str, str]:
    """What the job will see of each deletion; Refused when it would see none of them fail."""
    fault: FaultType = wish.params["type"]
    task = wish.params["task"]
    found = {one: faults.effect(wish.release, fault, one, task=task) for one in wish.deletions}
    dead = [one for one, effect in found.items() if effect == "none"]
    if wish.present and dead:
        works = faults.working(wish.release, dead[0], task=task)
        raise Refused(
            f"it does not make {' and '.join(dead)} fail on Longhorn {wish.release}",
            subject=f"fault {fault}",
            expected=f"one of {', '.join(works)}" if works else "nothing does that there",
            advice="Choose another type.",
        )
    return {str(one): str(effect) for one, effect in found.items()}


# -- what was refused before


def _caught_up(wish: _Wish, effects: Mapping[str, str]) -> tuple[str, ...]:
    """Longhorn tries again by itself what it was asked for and could not do, but in its own time; else a warning."""
    late = [one for one, effect in effects.items() if effect == "asynchronous"]
    if not (late and wish.volumes and wish.params["wait"]):
        return ()
    wanted = Wanted(
        subject=f"deletions that were refused before, of {', '.join(wish.volumes)}",
        expected="done by Longhorn itself",
        timeout=float(wish.params["wait_timeout"]),
    )
    try:
        wait_for(lambda: _terminating(wish, late), _none_left, wanted=wanted, clock=wish.clock)
    except WaitTimeout as error:
        return (
            f"Longhorn has not done within {wanted.timeout:g} s what it was asked for and could not do before: "
            f"{error.seen}. It goes on trying.",
        )
    return ()


def _terminating(wish: _Wish, late: Iterable[str]) -> list[str]:
    """Since 1.2 and 1.5 backups and snapshots are objects, which stay as long as what they stand for."""
    here, shape = wish.here, wish.here.objects.shape
    looks = [("backups", names.BACKUP_VOLUME_LABEL)] if shape.backup_objects and "backup-delete" in late else []
    looks += [("snapshots", names.VOLUME_LABEL)] if shape.snapshot_objects and "snapshot-delete" in late else []
    return [
        f"{plural} {item['metadata']['name']}"
        for plural, label in looks
        for volume in wish.volumes
        for item in here.client.list(
            here.objects.kind(plural), namespace=here.namespace, labels=f"{label}={volume}"
        ).items
        if item["metadata"].get("deletionTimestamp")
    ]


def _none_left(left: list[str]) -> Progress:
    return pending(f"{', '.join(sorted(left))} still Terminating") if left else done("none is left")


# -- the API server refuses


def _admission(wish: _Wish) -> Outcome:
    """A policy where the server has them, a webhook that nobody answers elsewhere."""
    bindings, policies, webhooks = kinds.REFUSING
    policy, binding = (wish.here.client.served(*candidates) for candidates in (policies, bindings))
    if policy is None or binding is None:
        return _settle(wish, [(webhooks[0], one) for one in admission.webhooks(wish.refusal)])
    pairs = admission.policies(wish.refusal, api_version=policy.group_version)
    return _settle(wish, [item for one, bound in pairs for item in ((policy, one), (binding, bound))])


def _settle(wish: _Wish, wanted: list[tuple[Kind, dict[str, t.Any]]]) -> Outcome:
    """Makes the objects as they are wanted, or removes them; bindings go before what they bind."""
    actions = []
    for kind, body in wanted if wish.present else reversed(wanted):
        name = body["metadata"]["name"]
        found = wish.here.client.find(kind, name)
        if wish.present and (found is None or not _says(found, body)):
            wish.here.client.apply(kind, body, dry_run=wish.check_mode)
            actions.append(f"make {kind.described(name=name)}: deletions of {', '.join(wish.volumes)} are refused")
        elif not wish.present and found is not None:
            wish.here.client.delete(kind, name, dry_run=wish.check_mode)
            actions.append(f"remove {kind.described(name=name)}")
    return Outcome(tuple(actions))


def _says(found: t.Any, wanted: t.Any) -> bool:
    """Whether an object says all that is wanted; what the server adds does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_says(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_says, found, wanted))
    return bool(found == wanted)


# -- Longhorn's own setting


def _disable_snapshot_purge(wish: _Wish) -> Outcome:
    """Without the fault Longhorn's defaults hold; what was there before is in the run's journal."""
    settings = wish.here.objects.settings()
    wanted = _PURGE_SETTINGS if wish.present else tuple((name, _opposite(on)) for name, on in reversed(_PURGE_SETTINGS))
    lacking = [name for name, _value in wanted if name not in settings]
    if lacking:
        raise NotFound("this Longhorn has no such setting", subject=f"setting {lacking[0]}", expected="release 1.5.4")
    actions = []
    for name, value in wanted:
        if settings[name] != value:
            actions.append(f"set {name} to {value}")
            if not wish.check_mode:
                wish.here.manager.set_setting(name, value)
    return Outcome(tuple(actions))


def _opposite(value: str) -> str:
    return "true" if value == "false" else "false"


# -- the backup store refuses


def _backup_store(wish: _Wish) -> Outcome:
    """One rule of the proxy for each volume; those of other volumes stay as they are."""
    if not wish.params.get("store_proxy"):
        return Outcome()  # the store went, and its proxy with it
    namespace, _slash, name = wish.params["store_proxy"].partition("/")
    proxy = wish.here.client.service_proxy(namespace, name, store_rules.PORT)
    there: tuple[Rule, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        there = store_rules.parse(proxy.get("rules"))
    except NotFound as error:
        if not wish.present:
            return Outcome()
        if not wish.check_mode:
            raise
        warnings = (assumed(error),)
    mine = {volume: rule for volume in wish.volumes for rule in there if store_rules.is_of(rule, volume)}
    wanted = {volume: _rule(wish.params, volume) for volume in wish.volumes if wish.present}
    hits = {volume: rule.hits for volume, rule in mine.items()}
    if {volume: replace(rule, hits=0) for volume, rule in mine.items()} == wanted:
        return Outcome(hits=hits)
    verb = "refuse" if wish.present else "let pass again"
    actions = (f"{verb} {wish.params['store_verb']} of the backups of {', '.join(wish.volumes)}",)
    if not wish.check_mode:
        kept = tuple(rule for rule in there if rule not in mine.values())
        proxy.put("rules", store_rules.document((*kept, *wanted.values())))
    return Outcome(actions, hits, warnings=warnings)


def _rule(params: Mapping[str, t.Any], volume: str) -> Rule:
    return store_rules.of_volume(
        volume,
        params["store_key"],
        verb=params["store_verb"],
        status=params["store_status"],
        latency=float(params["store_latency"]),
        times=params["store_times"],
    )


# -- the store keeps what is deleted


def _object_lock(wish: _Wish) -> Outcome:
    """New objects of the whole bucket are kept for a day; deleting them succeeds all the same, and frees nothing."""
    store = _store(wish)
    there, wanted = store.retention(), _RETENTION if wish.present else None
    if there == wanted or (there != _RETENTION and not wish.present):
        return Outcome()
    if there is not None and wish.present:
        raise Refused(
            "the bucket keeps objects already, by a rule that was not made here",
            subject=store.target, expected=f"no rule, or {_RETENTION}", seen=str(there),
            advice="Choose another bucket.",
        )  # fmt: skip
    if not wish.check_mode:
        store.retain(wanted)
    word = "keep new objects for a day" if wish.present else "keep new objects no more"
    return Outcome((f"{word} in {store.target}",))


def _store(wish: _Wish) -> S3Store:
    store = store_options.source(wish.params.get("store"), client=wish.here.client, namespace=wish.here.namespace)
    if store is None:
        fault = wish.params["type"]
        raise BadInput(f"store is needed for a fault of type {fault}", subject=f"fault {fault}")
    return store


def _noted(wish: _Wish, store: S3Store) -> tuple[str, ...]:
    """In the run's journal, before the store is told anything."""
    if not wish.run_id:
        return ()
    client, namespace = wish.here.client, wish.here.namespace
    _journal, warnings = _read(wish, lambda: run_journal.require(client, namespace, wish.run_id), None)
    if not wish.check_mode:
        run_journal.note(client, namespace, wish.run_id, lambda now: now.with_store(asdict(store.location)))
    return warnings


def _read(wish: _Wish, read: Callable[[], T], otherwise: T) -> tuple[T, tuple[str, ...]]:
    """What is there; in check mode it may only be planned, with a warning."""
    try:
        return read(), ()
    except NotFound as error:
        if not wish.check_mode:
            raise
        return otherwise, (assumed(error),)


# -- the store itself refuses


def _bucket_policy(wish: _Wish) -> Outcome:
    """A statement in the bucket's policy, tried with the credentials that Longhorn deletes with."""
    bucket = RefusingBucket(_store(wish), wish.run_id, wish.clock)
    if not wish.present:
        there, unknown = _read(wish, bucket.remembers, False)
        if there and not wish.check_mode:
            bucket.forget()
        actions = (f"let backups be deleted again in {bucket.store.target}",) if there else ()
        return Outcome(actions, warnings=unknown)
    user, unset = _read(wish, lambda: _longhorns_own(wish, bucket.store), bucket.store)
    told, unknown = _read(wish, lambda: bucket.told(wish.volumes), False)
    actions = () if told else (f"refuse to delete backups of {', '.join(wish.volumes)} in {bucket.store.target}",)
    warnings = (*unset, *unknown, *(() if told else _noted(wish, bucket.store)))
    if wish.check_mode:
        return Outcome(actions, warnings=warnings)
    proof = bucket.proof(wish.volumes, user=user) if told else bucket.tell(wish.volumes, user=user)
    return Outcome(actions, proof=proof)


def _longhorns_own(wish: _Wish, store: S3Store) -> S3Store:
    """The same store, with the Secret that Longhorn has for it."""
    setting = wish.here.objects.backup_target_settings()
    targets = [setting] if setting else [one.target for one in wish.here.objects.backup_targets()]
    own = next((one for one in targets if one.url.rstrip("/") == store.target.rstrip("/")), None)
    if own is None:
        raise NotFound(
            "Longhorn does not back up to it, and would delete nothing from it",
            subject=f"backup store {store.target}",
            seen=", ".join(one.url for one in targets if one.url) or "no backup target",
            advice="Make it Longhorn's backup target first, with longhorn_backup_target.",
        )
    return S3Store(store.client, replace(store.location, secret=own.credential_secret, namespace=wish.here.namespace))


# -- an engine image refuses


def _engine_image(wish: _Wish) -> Outcome:
    """Each volume gets the image that fails, or the default one again."""
    default = wish.here.objects.require_longhorn()
    image = wish.params["image"] if wish.present else default
    moved = [_moved(wish, volume, image) for volume in wish.volumes]
    return Outcome(
        actions=tuple(action for one in moved for action in one.actions),
        warnings=tuple(warning for one in moved for warning in one.warnings),
    )


def _moved(wish: _Wish, volume: str, image: str) -> Outcome:
    if wish.here.objects.volume(volume) is not None:
        given = {**wish.params, "name": volume, "state": "present", "engine_image": image}
        return _of(longhorn_volume.run(given, check_mode=wish.check_mode, client=wish.here.client))
    if not wish.present:
        return Outcome()
    missing = NotFound("does not exist", subject=f"volume {volume}", advice="Make it with longhorn_volume first.")
    if not wish.check_mode:
        raise missing
    return Outcome((f"move volume {volume} to {image}",), warnings=(assumed(missing),))


def _of(result: Mapping[str, t.Any]) -> Outcome:
    """From another module's result."""
    return Outcome(tuple(result["actions"]), warnings=tuple(result.get("warnings", ())))


def _default_engine_image(wish: _Wish) -> Outcome:
    """The image becomes Longhorn's default one. Which was it before is in the run's journal, and is put back."""
    client, clock = wish.here.client, wish.clock
    if wish.present:
        given = {**wish.params, "state": "present", "default": True}
        return _of(longhorn_engine_image.run(given, check_mode=wish.check_mode, client=client, clock=clock))
    given = {**wish.params, "name": names.DEFAULT_ENGINE_IMAGE_SETTING, "state": "restored"}
    restored = longhorn_setting.run(given, check_mode=wish.check_mode, client=client, clock=clock)
    outcome, default = _of(restored), restored["setting"]["value"]
    if outcome.warnings or default != wish.params["image"]:
        return outcome
    return replace(
        outcome,
        warnings=(
            f"{default} stays Longhorn's default engine image, because it was before run {wish.run_id} already: "
            "deletions go on failing. Set another one with longhorn_setting.",
        ),
    )


_FOR_ALL = ("disable-snapshot-purge", "default-engine-image", "object-lock")
_TYPES: Mapping[str, Callable[[_Wish], Outcome]] = {
    "engine-image": _engine_image,
    "patched-engine-image": _engine_image,
    "default-engine-image": _default_engine_image,
    "backup-store": _backup_store,
    "admission": _admission,
    "disable-snapshot-purge": _disable_snapshot_purge,
    "bucket-policy": _bucket_policy,
    "object-lock": _object_lock,
}
