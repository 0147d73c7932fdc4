-- What was raised in the window for somebody to look at; ok: it is entered with the figures that raised it.
select e.time as at, e.action, e.object, e.details is not null as ok
from events e
where e.time >= :start and e.time < :end and e.action in (
    'alert.raised', 'budget.reached', 'journal.recovered', 'subject.erasure_refused')
order by e.time, e.id
