-- Erasures that were asked for in the window; came_to: `erased` where a certificate of the same person came after,
-- `nothing held` where there was nothing to erase; ok: one of them.
select a.time as at, a.subject, a.actor, a.certificate,
    case when a.nothing_held then 'nothing held' when a.certificate is not null then 'erased' else 'unfinished' end
        as came_to,
    a.nothing_held or a.certificate is not null as ok
from (
    select asked.*,
        case when asked.nothing_held then null else
            (select max(e.details ->> 'certificate') from events e
             where e.action = 'subject.erased' and e.subject = asked.subject and e.time >= asked.time)
        end as certificate
    from (
        select r.id, r.time, r.subject, r.actor,
            exists (select 1 from events e where e.action = 'subject.nothing_held'
                and (e.details ->> 'asked') = r.id) as nothing_held
        from events r
        where r.time >= :start and r.time < :end and r.action = 'subject.erasure_asked'
    ) asked
) a
order by a.time, a.id
