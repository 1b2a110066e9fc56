-- get_task
-- A registered task. It never changes.
SELECT id, closure FROM admin.tasks WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;
