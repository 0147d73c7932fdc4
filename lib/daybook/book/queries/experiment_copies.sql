-- What became of the copies that a shadow was to get, of a deployment's answered calls in a time: a copy that has no row
-- was not made (experiment_skipped.sql), or waits still.
with copies as (
    select request_id, max(case when status = 'ok' then 1 else 0 end) as answered
    from calls
    where endpoint = 'shadow' and requested_model = :deployment and variant = :candidate and status <> 'retried'
        and calls.time >= :start
    group by request_id
)
select
    count(*) as calls,
    cast(coalesce(sum(copies.answered), 0) as bigint) as answered,
    cast(coalesce(sum(1 - copies.answered), 0) as bigint) as failed
from calls as answers
left join copies on copies.request_id = answers.request_id
where answers.time >= :start and answers.time < :end and answers.requested_model = :deployment
    and answers.endpoint <> 'shadow' and answers.variant is not null and answers.variant <> :candidate
    and answers.status = 'ok'
