"""Plain pages at the console's addresses: what runs and ran, readable in any browser, without a script.

Everything shown is escaped where it is put into a page (`html`). Nothing can be changed from here.
"""

from volant_admin.pages.routes import routes

__all__ = ["routes"]
