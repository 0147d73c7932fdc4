-- What the endpoint's calls cost since a moment: of one caller, or of all where none is named. Copies to a shadow are
-- paid for, too. `unpriced`: an upstream was asked, and what it costs is not known.
select
    count(*) as calls,
    sum(cost) as cost,
    cast(coalesce(sum(case when cost is null and provider is not null then 1 else 0 end), 0) as bigint) as unpriced
from calls
where time >= :start and endpoint not in ('library', 'import') and (cast(:caller as text) = '' or caller = :caller)
