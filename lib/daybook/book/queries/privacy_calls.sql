-- The calls of a window.
select count(*) as calls from calls where calls.time >= :start and calls.time < :end and status <> 'retried'
