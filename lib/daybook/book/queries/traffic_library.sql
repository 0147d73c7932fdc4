-- What Daybook's own library asked in a window (evaluations, notebooks, scripts): calls, those that failed, and cost.
select
    count(*) as calls,
    cast(coalesce(sum(case when status = 'error' then 1 else 0 end), 0) as bigint) as failed,
    count(cost) as priced,
    sum(cost) as spend
from calls
where calls.time >= :start and calls.time < :end and endpoint = 'library' and status <> 'retried'
