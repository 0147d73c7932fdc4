-- The seconds that answering took in a window's calls whose rate is zero; null where none was measured.
select sum(latency) as seconds from calls
where calls.time >= :start and calls.time < :end and cost = 0 and latency is not null
