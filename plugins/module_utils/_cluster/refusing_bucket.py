# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells a bucket to refuse deletions by a statement in its policy, proves that it does, and makes it forget that."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError, Refused, WaitTimeout
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import (
    Bucket,
    S3Store,
    bucket_of,
    code_of,
    folder_of,
    refused,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock, Wanted, wait_for
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import bucket_policy
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.bucket_policy import Policy
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, pending

_SECONDS, _INTERVAL = 30.0, 3.0  # until a policy holds everywhere in a large store
_NOTHING = ("NoSuchBucketPolicy", "NoSuchBucket")  # a bucket that went took its policy with it
_ADVICE = (
    "Name credentials in store that may change the bucket's policy (s3:GetBucketPolicy, s3:PutBucketPolicy and "
    "s3:DeleteBucketPolicy) and delete the probes (s3:ListBucket, s3:DeleteObject)."
)
_INSTEAD = (
    "MinIO holds its bucket policies against nobody who signs requests, other stores not against their owner: give "
    "Longhorn a user of its own that the policy holds for, or take a fault of type backup-store."
)
_T = t.TypeVar("_T")


@dataclass(frozen=True)
class RefusingBucket:
    """One run's statement in the policy of one bucket. ``store`` has the credentials that may change it."""

    store: S3Store
    run_id: str = ""
    clock: Clock = SYSTEM

    def told(self, volumes: Sequence[str]) -> bool:
        """Whether it is told to refuse the deletion of these volumes' backups, and of no others'."""
        return bucket_policy.named(self._policy(), self._mark) == self._statement(volumes)

    def tell(self, volumes: Sequence[str], *, user: S3Store) -> tuple[str, ...]:
        """Refuses deletions; what the store answers to ``user``, who tries it. After an error nothing is refused."""
        ours = self._statement(volumes)
        self._do(lambda s3, bucket: _set(s3, bucket, bucket_policy.with_statement(_policy(s3, bucket), ours)))
        try:
            return self.proof(volumes, user=user)
        except LonghornQAError:
            self.forget()
            raise

    def proof(self, volumes: Sequence[str], *, user: S3Store) -> tuple[str, ...]:
        """What the store answers when ``user`` deletes what it may not: a probe for each volume."""
        probes = [bucket_policy.probe_key(self._path, self._mark, folder_of("", volume)) for volume in volumes]
        advice = "Longhorn's own credentials have to be able to write and to be refused."

        def answers() -> tuple[str, ...]:
            return user.do(
                lambda s3, bucket: tuple(_refusal(s3, bucket.name, key) for key in probes),
                failing="cannot be tried",
                advice=advice,
            )

        try:
            found = self._wait(answers, all, "every probe's deletion refused")
        except WaitTimeout as error:
            raise Refused(
                "it takes a policy that refuses deletions, and lets Longhorn's credentials delete all the same",
                subject=f"backup store {self.store.target}",
                expected=f"a refusal for Secret {user.location.namespace}/{user.location.secret}",
                seen=f"{probes[0]} deleted",
                after=error.after,
                advice=_INSTEAD,
            ) from error
        return tuple(f"{self.store.target} did not let {key} go: {why}" for key, why in zip(probes, found, strict=True))

    def remembers(self) -> bool:
        """Whether there is anything of ours: the statement, or probes."""
        return bucket_policy.named(self._policy(), self._mark) is not None or bool(self._do(self._probes))

    def forget(self) -> None:
        """The statement goes, then the probes that it kept."""
        self._do(self._let_pass)
        self._wait(lambda: self._do(self._sweep), lambda kept: not kept, "no probe left")

    @property
    def _mark(self) -> str:
        return bucket_policy.mark(self.run_id)

    @property
    def _path(self) -> str:
        return bucket_of(self.store.target).path

    def _statement(self, volumes: Sequence[str]) -> Policy:
        place = bucket_of(self.store.target)
        folders = [folder_of("", volume) for volume in volumes]
        return bucket_policy.statement(self._mark, bucket=place.name, path=place.path, folders=folders)

    def _policy(self) -> Policy:
        return self._do(_policy)

    def _let_pass(self, s3: t.Any, bucket: Bucket) -> None:
        before = _policy(s3, bucket)
        if bucket_policy.named(before, self._mark) is not None:
            _set(s3, bucket, bucket_policy.without(before, self._mark))

    def _probes(self, s3: t.Any, bucket: Bucket) -> list[str]:
        prefix = bucket_policy.probes(bucket.path, self._mark)
        try:
            pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=prefix))
        except Exception as error:  # the S3 library makes its classes of errors as it goes
            if code_of(error) in _NOTHING:
                return []
            raise
        return [item["Key"] for page in pages for item in page.get("Contents") or ()]

    def _sweep(self, s3: t.Any, bucket: Bucket) -> list[str]:
        """Deletes the probes; those that the store still keeps."""
        return [key for key in self._probes(s3, bucket) if _kept(s3, bucket.name, key)]

    def _do(self, work: t.Callable[[t.Any, Bucket], _T]) -> _T:
        return self.store.do(work, failing="cannot be told what to refuse", advice=_ADVICE)

    def _wait(self, read: t.Callable[[], _T], right: t.Callable[[_T], bool], expected: str) -> _T:
        def check(found: _T) -> Progress:
            return done() if right(found) else pending(str(found))

        subject = f"backup store {self.store.target}"
        wanted = Wanted(subject=subject, expected=expected, timeout=_SECONDS, interval=_INTERVAL, advice=_ADVICE)
        return wait_for(read, check, wanted=wanted, clock=self.clock)


def _policy(s3: t.Any, bucket: Bucket) -> Policy:
    try:
        return t.cast(Policy, json.loads(s3.get_bucket_policy(Bucket=bucket.name)["Policy"]))
    except Exception as error:  # as above
        if code_of(error) in _NOTHING:
            return {}
        raise


def _set(s3: t.Any, bucket: Bucket, policy: Policy) -> None:
    if policy:
        s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    else:
        s3.delete_bucket_policy(Bucket=bucket.name)


def _refusal(s3: t.Any, bucket: str, key: str) -> str:
    """The store's word when the object that was just written is to go; empty when it went."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"longhorn.qa: may be deleted when the bucket's policy lets it\n")
    return _kept(s3, bucket, key)


def _kept(s3: t.Any, bucket: str, key: str) -> str:
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except Exception as error:  # as above
        if refused(error):
            return code_of(error)
        raise
    return ""
