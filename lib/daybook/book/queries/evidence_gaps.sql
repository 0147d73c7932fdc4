-- Spans of more than six hours in the window without any call; whether nothing was asked or nothing entered the book
-- cannot know, so ok is unknown. Without such a span, the whole window is one row, and ok.
with moments as (
    select calls.time as at from calls where calls.time >= :start and calls.time < :end
    union all
    select cast(:end as timestamptz) as at),
spans as (select coalesce(lag(m.at) over (order by m.at), cast(:start as timestamptz)) as since, m.at as until from moments m),
gaps as (select s.since, s.until from spans s where s.until - s.since > interval '6 hours')
select g.since, g.until, cast(null as boolean) as ok from gaps g
union all
select min(s.since) as since, max(s.until) as until, true as ok from spans s
having not exists (select 1 from gaps)
order by 1
