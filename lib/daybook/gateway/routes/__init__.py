"""Routes beside the chat: tasks of local models, hosted trainings, and the pages that document the endpoint."""
