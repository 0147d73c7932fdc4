-- What persons asked for in the window; ok: it was not left failed.
select e.time as at, e.action, e.subject, e.actor, e.outcome, coalesce(e.outcome, '') <> 'failed' as ok
from events e
where e.time >= :start and e.time < :end and strpos(e.action, 'subject.') = 1
    and e.action not in ('subject.erasing', 'subject.erased', 'subject.nothing_held', 'subject.consent_given',
        'subject.consent_withdrawn')
order by e.time, e.id
