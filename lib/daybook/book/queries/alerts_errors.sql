-- What came of the attempts at each upstream: one that is asked again elsewhere failed here.
select
    provider,
    cast(sum(case when status in ('error', 'retried') then 1 else 0 end) as bigint) as failed,
    cast(sum(case when status in ('ok', 'error', 'retried') then 1 else 0 end) as bigint) as attempts
from calls
where calls.time >= :start and calls.time < :end and endpoint not in ('library', 'import', 'shadow')
    and provider is not null and not coalesce(cache_hit, false)
group by provider
order by provider
