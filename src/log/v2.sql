-- seq of the newest row, up to this one, with a record that brought a client's own id; 0: there is
-- none. Absent in what format 1 wrote: nobody knows. A start goes back from row to row by it.
ALTER TABLE fact ADD COLUMN last_id INTEGER;
