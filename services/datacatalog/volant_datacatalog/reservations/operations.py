"""What can be done with reservations."""

import dataclasses
import datetime
from collections.abc import Sequence

from google.protobuf import duration_pb2

from volant_core import clock, errors, postgres
from volant_datacatalog import keys
from volant_datacatalog.reservations import store
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.datacatalog import datacatalog_pb2

Place = store.Place
_ATTEMPTS = 5
_LEFT_BEHIND = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A claim as it was asked for."""

    place: Place
    owner_id: str
    heartbeat: datetime.timedelta


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """Who holds what was claimed."""

    acquired: bool
    owner_id: str
    expires_at: datetime.datetime
    heartbeat: datetime.timedelta


class Reservations:
    """Reservations."""

    def __init__(self, database: postgres.Database, settings: DatacatalogSettings, clock: clock.Clock) -> None:
        """Keep them in `database`; `clock` says what has expired."""
        self._database = database
        self._settings = settings
        self._clock = clock

    def heartbeat(self, asked: duration_pb2.Duration | None) -> datetime.timedelta:
        """The interval that a claim gets: what it asks for, up to the limit."""
        longest = self._settings.heartbeat
        if asked is None:
            return longest
        if asked.seconds < 0 or asked.nanos < 0:
            raise errors.InvalidArgumentError("invalid value for heartbeatInterval: it must not be negative")
        if asked.seconds >= longest.total_seconds():
            return longest
        return asked.ToTimedelta()

    async def take(self, wanted: Sequence[Wanted]) -> list[Held]:
        """Take or extend reservations; who holds each now. Where several want one at once, the first gets it."""
        now = self._clock.now()
        claims: dict[Place, store.Claim] = {}
        for claim in wanted:
            expires = now + claim.heartbeat * self._settings.heartbeats
            claims.setdefault(claim.place, store.Claim(claim.owner_id, expires))
        holders: dict[Place, store.Claim] = {}
        for _ in range(_ATTEMPTS):
            left = {place: claim for place, claim in claims.items() if place not in holders}
            if not left:
                break
            holders |= await store.take(self._database, left, now)
        else:
            raise errors.UnavailableError("reservations of the cache come and go too quickly; try again")
        return [
            Held(
                acquired=holders[claim.place].owner_id == claim.owner_id,
                owner_id=holders[claim.place].owner_id,
                expires_at=holders[claim.place].expires_at,
                heartbeat=claim.heartbeat,
            )
            for claim in wanted
        ]

    async def release(self, given: Sequence[tuple[Place, str]]) -> None:
        """Give reservations back; what is not held by that owner is left alone."""
        if given:
            await store.release(self._database, given)

    async def sweep(self) -> int:
        """Remove what its holders left behind; how many."""
        return await store.sweep(self._database, self._clock.now() - _LEFT_BEHIND)

    async def get_or_extend(
        self, request: datacatalog_pb2.GetOrExtendReservationRequest
    ) -> datacatalog_pb2.Reservation:
        """Take or extend one; whoever holds it then."""
        place = _place(request.reservation_id)
        asked = request.heartbeat_interval if request.HasField("heartbeat_interval") else None
        [held] = await self.take([Wanted(place, request.owner_id, self.heartbeat(asked))])
        reservation = datacatalog_pb2.Reservation(
            reservation_id=datacatalog_pb2.ReservationID(
                dataset_id=keys.DatasetKey(*place[:4]).message(), tag_name=place.tag
            ),
            owner_id=held.owner_id,
        )
        reservation.heartbeat_interval.FromTimedelta(held.heartbeat)
        reservation.expires_at.FromDatetime(held.expires_at)
        return reservation

    async def give_back(self, request: datacatalog_pb2.ReleaseReservationRequest) -> None:
        """Give one back."""
        await self.release([(_place(request.reservation_id), request.owner_id)])


def _place(id_: datacatalog_pb2.ReservationID) -> Place:
    """What an identifier names. As in Flyte, it is a key like any other where parts of it are empty."""
    dataset = id_.dataset_id
    place = Place(dataset.project, dataset.domain, dataset.name, dataset.version, id_.tag_name)
    keys.check_length("reservation", *place)
    return place
