"""How a result is shown: tables, text, charts, HTML, findings and gates."""
