"""Puts the STIX objects that it reads (one a line) into OpenTAXII's database, by OpenTAXII's own model; prints the collection's path.

Run by the Python of OpenTAXII's own environment, so it imports nothing of the hub.
"""

import datetime
import json
import sys

from opentaxii.http import app
from opentaxii.persistence.sqldb.taxii2models import STIXObject

TICK = datetime.timedelta(microseconds=1)


def main() -> None:
    with app.app_context():
        api = app.taxii_server.servers.taxii2.persistence.api
        root = api.add_api_root(title="Bench", default=True, is_public=True)
        collection = api.add_collection(api_root_id=root.id, title="Indicators", is_public=True)
        added = datetime.datetime.now(datetime.UTC)
        rows = []
        for line in sys.stdin:
            obj = json.loads(line)
            added += TICK
            version = datetime.datetime.fromisoformat(obj["modified"])
            named = {name: obj.pop(name) for name in ("id", "type", "spec_version")}
            rows.append(STIXObject(**named, collection_id=collection.id, date_added=added, version=version, serialized_data=obj))
        api.db.session.bulk_save_objects(rows)
        api.db.session.commit()
        print(json.dumps({"path": f"/taxii2/{root.id}/collections/{collection.id}/objects/"}))


main()
