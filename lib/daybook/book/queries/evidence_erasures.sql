-- Erasures that were asked for in the window; ok: a certificate of the same person came after.
select a.time as at, a.subject, a.actor,
    (select max(e.details ->> 'certificate') from events e
     where e.action = 'subject.erased' and e.subject = a.subject and e.time >= a.time) as certificate,
    exists (select 1 from events e where e.action = 'subject.erased' and e.subject = a.subject and e.time >= a.time
        and (e.details ->> 'certificate') is not null) as ok
from events a
where a.time >= :start and a.time < :end and a.action = 'subject.erasure_asked'
order by a.time, a.id
