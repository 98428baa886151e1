"""The role table: every page and action of the console, and who may open it."""

from tagloom.console.table import Page, get, post
from tagloom.console.views import activity, entrance, imports, overlap, overview, people, tags, tribe, tribes

PLACE = "/s/{space}/{environment}"

PAGES: tuple[Page, ...] = (
    # Coming in.
    get("/", entrance.home, "anyone"),
    get("/setup", entrance.show_set_up, "anyone"),
    post("/setup", entrance.set_up, "anyone"),
    get("/sign-in", entrance.show_sign_in, "anyone"),
    post("/sign-in", entrance.sign_in, "anyone"),
    post("/sign-out", entrance.sign_out, "anyone"),
    get("/join", entrance.show_invitation, "anyone"),
    post("/join", entrance.join, "anyone"),
    get("/reset", entrance.show_reset, "anyone"),
    post("/reset", entrance.reset, "anyone"),
    post("/organization", entrance.switch_organization, "teammate"),
    # Tribes.
    get(f"{PLACE}/tribes", tribes.board, "view"),
    get(f"{PLACE}/tribes/overlap", overlap.overlap, "view"),
    get(f"{PLACE}/tribes/new", tribe.new, "tribes"),
    post(f"{PLACE}/tribes/new", tribe.edit, "tribes"),
    post(f"{PLACE}/tribes/move", tribes.move_tribe, "tribes"),
    post(f"{PLACE}/tribes/move-category", tribes.move_category, "tribes"),
    post(f"{PLACE}/tribes/paint", tribes.paint, "tribes"),
    get(f"{PLACE}/tribe/{{tribe}}", tribe.show, "view"),
    post(f"{PLACE}/tribe/{{tribe}}", tribe.edit, "tribes"),
    post(f"{PLACE}/tribe/{{tribe}}/duplicate", tribes.duplicate, "tribes"),
    get(f"{PLACE}/tribe/{{tribe}}/delete", tribes.ask_drop, "tribes"),
    post(f"{PLACE}/tribe/{{tribe}}/delete", tribes.drop, "tribes"),
    get(f"{PLACE}/tribe/{{tribe}}/pictures", tribe.pictures, "view"),
    get(f"{PLACE}/tribe/{{tribe}}/why", tribe.why, "view"),
    get(f"{PLACE}/tribe/{{tribe}}/members", tribe.export, "tribes"),
    # Overview, and the palette.
    get(f"{PLACE}/overview", overview.overview, "view"),
    get(f"{PLACE}/palette", overview.palette, "view"),
    # Developer: user tags.
    get(f"{PLACE}/tags", tags.tags, "developer"),
    get(f"{PLACE}/tags/branch", tags.branch, "developer"),
    get(f"{PLACE}/tags/new", tags.new, "developer"),
    post(f"{PLACE}/tags/new", tags.create, "developer"),
    get(f"{PLACE}/tag", tags.show, "developer"),
    get(f"{PLACE}/tag/bearers", tags.bearers, "developer"),
    post(f"{PLACE}/tag/describe", tags.describe, "developer"),
    get(f"{PLACE}/tag/move", tags.ask_move, "developer"),
    post(f"{PLACE}/tag/move", tags.move, "developer"),
    get(f"{PLACE}/tag/merge", tags.ask_merge, "developer"),
    post(f"{PLACE}/tag/merge", tags.merge, "developer"),
    get(f"{PLACE}/tag/delete", tags.ask_drop, "developer"),
    post(f"{PLACE}/tag/delete", tags.drop, "developer"),
    get(f"{PLACE}/suggest", people.suggest, "tribes"),
    # Developer: users and visitors.
    get(f"{PLACE}/people", people.people, "developer"),
    get(f"{PLACE}/person/history", people.history, "developer"),
    post(f"{PLACE}/person/tags", people.change_tags, "developer"),
    post(f"{PLACE}/person/create", people.create, "developer"),
    get(f"{PLACE}/person/erase", people.ask_erase, "developer"),
    post(f"{PLACE}/person/erase", people.erase, "developer"),
    # Developer: imports.
    get(f"{PLACE}/imports", imports.imports, "developer"),
    post(f"{PLACE}/imports", imports.bring, "developer", is_upload=True),
    get(f"{PLACE}/import/{{upload}}", imports.show, "developer"),
    post(f"{PLACE}/import/{{upload}}", imports.plan, "developer"),
    get(f"{PLACE}/import/{{upload}}/progress", imports.progress, "developer"),
    post(f"{PLACE}/import/{{upload}}/run", imports.run, "developer"),
    post(f"{PLACE}/import/{{upload}}/delete", imports.drop, "developer"),
    get(f"{PLACE}/import/{{upload}}/rejected", imports.rejected, "developer"),
    # Activity.
    get(f"{PLACE}/activity", activity.activity, "view"),
    get(f"{PLACE}/activity/batch", activity.batch, "view"),
    post(f"{PLACE}/undo", activity.undo, "developer"),
)
