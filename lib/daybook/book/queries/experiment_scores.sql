-- What people said about a deployment's answers in a window, oldest first: of one call the last word counts.
select
    calls.time,
    calls.id,
    variant,
    coalesce(
        case cast(:sticky as text)
            when 'session' then (tags ->> 'session')
            when 'caller' then coalesce(key_id, caller)
            when 'user' then calls.subject
        end,
        calls.request_id
    ) as key,
    details
from events
inner join calls on calls.id = events.object
where events.action = 'feedback.given' and calls.time >= :start and calls.time < :end
    and requested_model = :deployment and variant is not null and endpoint <> 'shadow'
order by events.time, events.id
