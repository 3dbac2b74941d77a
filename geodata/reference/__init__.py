"""Reference cities that ship with the project, and their builders."""
