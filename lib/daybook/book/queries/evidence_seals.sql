-- Days of the window with calls or entries; ok: a seal was made for that day.
with days as (
    select cast(utc(calls.time) as date) as day from calls where calls.time >= :start and calls.time < :end
    union
    select cast(utc(events.time) as date) as day from events where events.time >= :start and events.time < :end),
sealed as (
    select (e.details ->> 'day') as day, max(e.object) as seal, max((e.details ->> 'digest')) as digest
    from events e where e.action = 'trail.sealed' group by (e.details ->> 'day'))
select days.day, sealed.seal, sealed.digest, sealed.seal is not null as ok
from days left join sealed on sealed.day = cast(days.day as text)
order by days.day desc
