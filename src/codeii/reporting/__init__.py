"""Tables, figures, pictures of tracings, and the one-page report. Everything shown is read through the doors."""
