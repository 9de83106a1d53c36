-- The provider for which the session's open turn, the prompts that wait and the schedules were accepted: they go to no
-- other by themselves. '' where nobody has said.
ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT '';
