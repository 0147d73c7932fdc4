-- Consent given and withdrawn in the window; ok: a purpose is named.
select e.time as at, e.action, e.subject, (e.details ->> 'purpose') as purpose, (e.details ->> 'purpose') is not null as ok
from events e
where e.time >= :start and e.time < :end and e.action in ('subject.consent_given', 'subject.consent_withdrawn')
order by e.time, e.id
