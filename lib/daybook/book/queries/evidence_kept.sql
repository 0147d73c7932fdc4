-- How far back the log of calls goes; ok: six months at least. A younger book cannot show it.
select min(calls.time) as oldest, count(*) as calls, case when min(calls.time) < :half_year then true end as ok
from calls
where calls.time < :end
having count(*) > 0
