-- The copies that a shadow was to get in a time and that were not made: counted, with why, by minute.
select details
from events
where action = 'shadow.skipped' and object = :deployment and events.time >= :start and events.time < :end
