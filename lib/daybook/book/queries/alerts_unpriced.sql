-- The calls that used tokens and whose cost is not known, by who served them.
select provider, served_model, count(*) as calls
from calls
where calls.time >= :start and calls.time < :end and endpoint not in ('library', 'import') and cost is null
    and usage_reported is not null and provider is not null
group by provider, served_model
order by provider, served_model
