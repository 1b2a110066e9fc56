"""The scenarios: workflows (`flows`) and what is done with each (`graphs`, `data`, `ends`). Nothing but entries lives here."""
