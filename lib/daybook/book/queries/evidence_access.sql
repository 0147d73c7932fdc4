-- Who was given personal data in the window, by what; ok: each entry says what came of it.
select e.actor, e.action, count(*) as entries, count(e.reason) as with_reason, max(e.time) as latest,
    count(*) = count(e.outcome) as ok
from events e
where e.time >= :start and e.time < :end and e.action in (
    'book.read', 'book.exported', 'book.opened', 'content.read', 'trail.read', 'trail.exported', 'subject.exported')
group by e.actor, e.action
order by e.actor, e.action
