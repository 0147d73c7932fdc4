-- What was split of a deployment's calls in a time, by UTC day and version: each session, caller or user once, when it
-- first comes since `since`, for it is then that the shares decide.
with answers as (
    select
        calls.time,
        variant,
        row_number() over (
            partition by coalesce(
                case cast(:sticky as text)
                    when 'session' then (tags ->> 'session')
                    when 'caller' then coalesce(key_id, caller)
                    when 'user' then calls.subject
                end,
                request_id
            )
            order by calls.time, id
        ) as nth
    from calls
    where calls.time >= :since and calls.time < :end and requested_model = :deployment and variant is not null
        and endpoint <> 'shadow' and status <> 'retried'
)
select cast(utc(answers.time) as date) as day, variant, count(*) as keys
from answers
where nth = 1 and answers.time >= :start
group by 1, 2
order by 1, 2
