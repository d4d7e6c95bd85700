"""What the demo export says: its words, a template for every column, and the special rows.

A template names words in braces; a word is drawn once per row, so that a row agrees with itself.
People are invented, web addresses and mail domains are reserved ones (RFC 2606).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CUSTOM_IDS",
    "NULL_SHARE",
    "PICTURES",
    "PLACES",
    "RECORDINGS",
    "ROWS",
    "SPECIAL_ROWS",
    "SWAPPED_COLUMNS",
    "TEMPLATES",
    "WORDS",
    "Value",
]

# A value as its cell shows it: text as it stands, lists and objects as JSON, None as an empty cell.
Value = str | int | list[Any] | dict[str, Any] | None

ROWS: Mapping[str, int] = {
    "topics": 40,
    "personnel": 120,
    "events": 150,
    "organizations": 45,
    "sightings": 1200,
    "event-subject-matter-experts": 220,
    "topic-subject-matter-experts": 90,
    "organization-members": 140,
    "testimonies": 260,
    "topics-testimonies": 320,
    "documents": 60,
    "locations": 80,
    "event-topic-subject-matter-experts": 160,
    "users": 150,
    "user-saved-events": 180,
    "user-saved-topics": 110,
    "user-saved-key-figure": 90,
    "user-saved-testimonies": 120,
    "user-saved-documents": 70,
    "user-theories": 85,
    "user-saved-organizations": 60,
    "user-saved-sightings": 140,
    "tags": 12,
    "theories": 5,
    "mindmaps": 25,
    "artifacts": 60,
    "case-files": 0,
}

# Pairs that change places in the file's header: columns go by name, never by position.
SWAPPED_COLUMNS: Mapping[str, tuple[str, str]] = {
    "personnel": ("credibility", "authority"),
    "organization-members": ("member", "organization"),
    "testimonies": ("event", "witness"),
    "documents": ("title", "embedding"),
    "locations": ("latitude", "longitude"),
}

# Ids of a person's own choosing, for the first rows: they look like numbers, NULLs and each other.
CUSTOM_IDS: Mapping[str, tuple[str, ...]] = {
    "topics": ("radar-returns", "case:1947~a", "Topic_07", "topic_07", "007", "1e5", "NULL", "NA", "true"),
}

# How many rows of a hundred lack the column; 5 where nothing is said.
NULL_SHARE: Mapping[str, int] = {
    "theory": 40,
    "media_link": 60,
    "date": 2,
    "date_posted": 2,
    "email": 3,
    "title": 3,
    "city": 1,
    "embedding": 10,
}

# Extension, media type and attributes of the files in picture columns and in the others.
PICTURES: Sequence[tuple[str, str, Value]] = (
    ("jpg", "image/jpeg", {"width": 1600, "height": 1067}),
    ("png", "image/png", {"width": 800, "height": 800}),
)
RECORDINGS: Sequence[tuple[str, str, Value]] = (
    ("pdf", "application/pdf", {}),
    ("wav", "audio/wav", {}),
    ("mp4", "video/mp4", {}),
)

# City, state, country, latitude, longitude.
PLACES: tuple[tuple[str, str, str, float, float], ...] = (
    ("Phoenix", "Arizona", "US", 33.4484, -112.074),
    ("Roswell", "New Mexico", "US", 33.3943, -104.523),
    ("Marfa", "Texas", "US", 30.3095, -104.0206),
    ("Duluth", "Minnesota", "US", 46.7867, -92.1005),
    ("Seattle", "Washington", "US", 47.6062, -122.3321),
    ("Bangor", "Maine", "US", 44.8016, -68.7712),
    ("Saskatoon", "Saskatchewan", "CA", 52.1332, -106.67),
    ("Trois-Rivières", "Québec", "CA", 46.3432, -72.543),
    ("Mérida", "Yucatán", "MX", 20.9674, -89.5926),
    ("Valparaíso", "Valparaíso", "CL", -33.0472, -71.6127),
    ("São Tomé das Letras", "Minas Gerais", "BR", -21.7214, -44.985),
    ("Quito", "Pichincha", "EC", -0.1807, -78.4678),
    ("Zürich", "Zürich", "CH", 47.3769, 8.5417),
    ("L'Aquila", "Abruzzo", "IT", 42.3498, 13.3995),
    ("Hessdalen", "Trøndelag", "NO", 62.7939, 11.1883),
    ("Łódź", "Łódzkie", "PL", 51.7592, 19.456),
    ("Ελευσίνα", "Αττική", "GR", 38.0414, 23.5423),
    ("Stoke-on-Trent", "Staffordshire", "GB", 53.0027, -2.1794),
    ("Accra", "Greater Accra", "GH", 5.6037, -0.187),
    ("Ruwa", "Mashonaland East", "ZW", -17.8897, 31.2447),
    ("Pune", "Maharashtra", "IN", 18.5204, 73.8567),
    ("東京", "東京都", "JP", 35.6762, 139.6503),
    ("Westall", "Victoria", "AU", -37.9355, 145.1379),
    ("Suva", "Rewa", "FJ", -18.1248, 178.4501),
)


def _words(line: str) -> Sequence[str]:
    """Split a list of words written in one line."""
    return line.split(" / ")


WORDS: Mapping[str, Sequence[str]] = {
    "given": _words(
        "Adaeze / Bram / Ciara / Dmitar / Esperanza / Farid / Greta / Haruka / Ilse / Jomo / "
        "Katarzyna / Lourenço / Maëlle / Nikhil / Oona / Pilar / Quentin / Rūta / Søren / Tamsin"
    ),
    "family": _words(
        "Ashgrovel / Birchholt / Copperwhite / Dunmarrow / Eastervane / Fennimoor / Glasswright / "
        "Hollinbrae / Ironquill / Juniperly / Kestrelgate / Larkhollow / Marrowby / Nettlestrand / "
        "O'Quillan / Pemberlow / Quarrymead / Rookwarden / Saltmarsh-Vane / Thistledown"
    ),
    "person": ("{given} {family}",),
    "handle": _words(
        "skywatcher / night.owl / contrail / second.look / long.exposure / ridge.line / "
        "open.shutter / cloud.base / zenith / parallax / quiet.field / slow.satellite"
    ),
    "number": [f"{number:03}" for number in range(100)],
    "role": _words(
        "Radar operator / Air traffic controller / Physicist / Local reporter / Pilot, retired / "
        "Archivist / Police officer / Meteorologist / Farmer / Professor of optics"
    ),
    "shape": _words(
        "disk / triangle / cigar / sphere / light / chevron / cylinder / fireball / formation / "
        "diamond / crescent / teardrop"
    ),
    "colour": _words("golden / white / dull silver / green / red and white / blue-white"),
    "motion": _words(
        "hovered / climbed straight up / crossed the sky / zig-zagged / sank behind the ridge / "
        "kept pace with the car / stood still"
    ),
    "company": _words("two neighbours / my brother / a whole school class / nobody else / the night shift"),
    "seconds": _words("5 / 20 / 45 / 90 / 120 / 300 / 600 / 1800 / 2700 / 3600 / 10800"),
    "duration": _words("a few seconds / 1-2 minutes / 5 min. / about 10 minutes / 1/2 hour / 45 min / 2+ hrs"),
    "sighting": (
        "{colour} {shape} {motion} near {city}, seen by {company}",
        "I was outside with {company} when a {colour} {shape} {motion}. It made no sound.",
        'My first words were "what is that?" A {shape}, {colour}, {motion} over {city}.',
    ),
    "comment": (
        "{colour} {shape} which {motion}&#44; then gone.",
        "Seen from {city}&#44; {state}&#44; for {duration}.",
        "No aircraft were listed for that hour; the weather service reported clear sky.",
        "((Desk note: possible satellite or bright planet.))",
    ),
    "event": (
        "A {shape} over {city}, {year}",
        "The {city} lights of {year}",
        "Radar contact near {city}, {year}",
        "The {colour} {shape} of {city}, {year}",
        "The {year} {city} landing trace",
    ),
    "account": (
        "Late that evening a {colour} {shape} {motion} over {city}; {company} watched for {duration}.",
        "Witnesses in {city} describe a {shape} that {motion}. Duration: {duration}.",
        'The log of the {city} tower has one line for that night: "{shape}, {colour}, no transponder".',
    ),
    "finding": (
        "Three of the reports agree on heading and speed.",
        "Weather balloons explain most of it, but not the radar returns.",
        "The film was lost; two prints of it survive.",
        "No physical trace was found; soil samples were ordinary.",
        "The reports were filed within an hour of each other.",
    ),
    "caveat": (
        "All of it rests on memory written down years later.",
        "The instrument had been calibrated the same week.",
        "One witness later withdrew the account.",
        "Distances were estimated by eye, at night.",
    ),
    "field": _words(
        "Radar returns / Landing traces / Pilot reports / Luminous orbs / Underwater objects / "
        "Declassified memos / Photographic evidence / Missing time / Atmospheric plasma / "
        "Crew interviews"
    ),
    "aspect": _words(
        "an overview / methods / open questions / the early years / instruments / debunked cases / "
        "statistics / oral history"
    ),
    "topic": ("{field}: {aspect}",),
    "adjective": _words("Northern / Independent / Civil / Joint / Provincial / Open / Quiet Sky"),
    "body": _words("Sky Survey / Aerial Phenomena Group / Observers' League / Archive of Reports / Radar Society"),
    "organization": (
        "{adjective} {body} of {city}",
        "{city} {body}",
        "{adjective} {body}",
    ),
    "specialization": _words(
        "radar analysis / witness interviews / film and photographs / soil chemistry / archives / public outreach"
    ),
    "archive": (
        "Reading room, box {number}",
        "Tower log, sheet {number}",
        "Interview tape {number}",
    ),
    "document": (
        "Memo {number}: {field}",
        "Transcript of an interview in {city}",
        "Report on the {shape} of {year}",
        "Letter from {city}, {year}",
    ),
    "claim": (
        "The object was faster than any aircraft I know.",
        "I saw a {colour} {shape}, and I saw it twice.",
        "There were two blips on the scope; only one had a transponder.",
        "We were told not to write it down, so I wrote it down.",
    ),
    "heading": (
        "Look again",
        "For the timeline",
        "Ask {given}",
        "Contradiction?",
        "Map this",
        "Weather that day",
    ),
    "note": (
        "Compare with the {shape} of {year}.",
        "{given} says the date is wrong; check the newspaper of {city}.",
        "Good source, weak photograph.",
        "Ask for the tower log of {city}.",
    ),
    "theory": (
        "Plasma over {city}",
        "A test flight, {year}",
        "Reflections in the cockpit glass",
        "Ice crystals and the Moon",
        "One {shape}, many witnesses",
    ),
    "material": _words("Aluminium flake / Glass bead / Burnt soil / Film strip / Ceramic shard / Tower log page"),
    "artifact": (
        "{material} from {city}, {year}",
        "{material} no. {number}",
    ),
    "category": _words("lights / radar contact / close encounter / formation / landing trace"),
    "evidence": _words("photograph / radar plot / eyewitness / film, 8 mm / audio tape"),
    "landmark": _words("Old observatory / Water tower / North airfield / Chapel hill / Reservoir dam / Radar site"),
    "slug": _words("tower-log / sketch / night-sky / map / interview / film-frame / soil-sample"),
}

# By "table.column", or by column name alone.
TEMPLATES: Mapping[str, Any] = {
    "note": "{note}",
    "note-title": "{heading}",
    "date": "{date}",
    "date_posted": "{date_posted}",
    "latitude": "{latitude}",
    "longitude": "{longitude}",
    "city": "{city}",
    "state": "{state}",
    "country": "{country}",
    "summary": "{finding} {caveat}",
    "topics.name": "{topic}",
    "topics.title": "{topic}",
    "personnel.bio": "{person}, {role}, {city}. {caveat}",
    "personnel.role": "{role}",
    "personnel.name": "{person}",
    "events.name": "{event}",
    "events.title": "{event}",
    "events.description": "{account}\n\n{finding}",
    "events.location": "{city}, {state}",
    "events.metadata": {
        "source": "{archive}",
        "place": {"city": "{city}", "country": "{country}", "at": ["{latitude}", "{longitude}"]},
        "witnesses": [{"name": "{person}", "role": "{role}", "anonymous": False}],
        "weather": None,
        "confidence": 0.75,
    },
    "events.category": ["{category}", "{evidence}", "{shape}"],
    "organizations.name": "{organization}",
    "organizations.title": "{organization}",
    "organizations.specialization": "{specialization}",
    "organizations.description": "The {organization} works on {specialization}. {caveat}",
    "organizations.photo": "https://files.example.org/organizations/{slug}-{number}.jpg",
    "sightings.description": "{sighting}",
    "sightings.media_link": "https://media.example.com/{slug}/{number}?shape={shape}",
    "sightings.shape": "{shape}",
    "sightings.duration_seconds": "{seconds}",
    "sightings.duration_hours_min": "{duration}",
    "sightings.comments": "{comment}",
    "testimonies.claim": "{claim}",
    "testimonies.source": "{archive}",
    "testimonies.context": "{account} {caveat}",
    "documents.title": "{document}",
    "documents.content": "{document}\n\n{account}\n\n{finding} {caveat}",
    "documents.url": "https://archive.example.org/{slug}/{number}",
    "documents.metadata": {
        "archive": "{archive}",
        "pages": 3,
        "languages": ["en", "ja"],
        "scan": {"dpi": 300},
    },
    "locations.name": "{landmark}, {city}",
    "locations.coordinates": "{latitude},{longitude}",
    "locations.google-maps-location-id": "place:{slug}-{number}",
    "users.email": "{handle}{number}@example.org",
    "users.name": "{person}",
    "users.profile_image_url": "https://images.example.com/{handle}{number}.png",
    "users.external_id": "idp|{handle}|{number}",
    "user-theories.name": "{theory}",
    "user-theories.content": "{finding}\n{caveat}\n\nSo: {theory}.",
    "user-theories.synopsis": "{theory}. {caveat}",
    "mindmaps.json": {
        "nodes": [
            {"id": "1", "label": "{topic}", "x": 0, "y": 0},
            {"id": "2", "label": "{event}", "x": 120.5, "y": -40},
            {"id": "3", "label": "{person}", "x": -80, "y": 64.25},
        ],
        "edges": [{"from": "1", "to": "2"}, {"from": "2", "to": "3", "dashed": True}],
        "viewport": {"zoom": 1.5, "locked": False, "selection": None},
    },
    "artifacts.name": "{artifact}",
    "artifacts.description": "{material}, found at {city}. {finding}",
    "artifacts.photos": ["https://images.example.com/{slug}/{number}.jpg", "{slug}.png", "{slug}-detail.png"],
    "artifacts.date": "circa {year}",
    "artifacts.source": "{archive}",
    "artifacts.origin": "{city}, {country}",
}

_NOTES: tuple[tuple[str, Value], ...] = (
    ("Two lines", "This note spans\ntwo lines"),
    ("Two lines, CRLF", "This note spans\r\ntwo lines, parted by CR and LF"),
    ("A lone CR", "A carriage return\rstands here alone"),
    ("Ends with a line feed", "The last character is a line feed\n"),
    ("Only quotes", '""'),
    ("Spoken", 'She said ""look up"", then left'),
    ("Blanks around the word", " padded "),
    ("One blank", " "),
    ("Empty, not NULL", ""),
    ("NULL, not empty", None),
    ("The word NULL", "NULL"),
    ("The word None", "None"),
    ("The letters NA", "NA"),
    ("The word nan", "nan"),
    ("The word true", "true"),
    ("Zeros in front", "00123"),
    ("Looks like a float", "1e5"),
    ("Looks like a date", "1947-07-08"),
    ("Looks like a list", '["not", "a list"]'),
    ("Looks like an id", "rec_00000000000000000000"),
    ("An entity", "Roswell&#44; New Mexico"),
    ("COPY's NULL", "\\N"),
    ("COPY's end of data", "\\."),
    ("Backslashes", "C:\\new\\table\\"),
    ("Tabs", "one\ttwo\tthree"),
    ("Looks like SQL", "Robert'); DROP TABLE events; --"),
    ("A percent and braces", "100 % of {them} saw %s"),
    ("Spreadsheet formula", "=1+1"),
    ("Emoji", "👽 came in peace 🛸, family 👨\u200d👩\u200d👧"),
    ("One accent, two ways", "Zo\u00eb is not Zoe\u0308"),
    ("Right to left", "ضوء فوق المدينة"),
    ("Line separators", "U+2028\u2028U+0085\u0085U+000B\vU+000C\fend"),
    ("Invisible", "\ufeffstarts with U+FEFF, holds\u00a0U+00A0 and\u200bU+200B"),
    ("Control characters", "U+0001\x01U+001F\x1fU+007F\x7fend"),
)

# The events' first rows; what each has of its own is what its title says.
_EVENTS: Sequence[Mapping[str, Value]] = (
    {"title": "Airborne ships, year 749", "date": "0749-06-21T00:00:00.000Z"},
    {"title": "The first day of year 1", "date": "0001-01-01T00:00:00.000Z"},
    {"title": "The last microsecond of year 9999", "date": "9999-12-31T23:59:59.999999Z"},
    {"title": "To the microsecond", "date": "1997-03-13T20:15:00.123456Z"},
    {"title": "One microsecond before 1970", "date": "1969-12-31T23:59:59.999999Z"},
    {"title": "Midnight of 1 January 1970, not NULL", "date": "1970-01-01T00:00:00.000Z"},
    {"title": "Leap day", "date": "2024-02-29T12:00:00.000Z"},
    {"title": "Seen from two cities", "location": "Zürich \u2013 東京"},
    {"title": "No category: an empty list", "category": []},
    {"title": "No category: NULL", "category": None},
    {"title": "Commas and quotes in a list", "category": ["lights, moving", 'a "saucer"', "it's"]},
    {"title": "Backslashes in a list", "category": ["C:\\radar\\", "\\", "\\N", "{curly}"]},
    {"title": "NULL and nothing in a list", "category": ["NULL", "", " ", "null"]},
    {"title": "Line breaks in a list", "category": ["first\nsecond", "tab\there", "Ω 🛸"]},
    {"title": "Empty object", "metadata": {}},
    {"title": "No metadata: NULL", "metadata": None},
)

_FILES: Value = [
    {
        "id": "file_nameless",
        "name": "",
        "mediaType": "application/octet-stream",
        "size": 0,
        "version": 0,
        "enablePublicUrl": False,
        "signedUrlTimeout": 60,
        "attributes": {},
    },
    {
        "id": "file_everything",
        "name": 'tower "log", 東京.pdf',
        "mediaType": "application/pdf",
        "size": 5368709120,
        "version": 7,
        "url": "https://files.example.org/everything",
        "signedUrl": "https://files.example.org/everything?verify=not%20a%20secret&parts=1,2",
        "enablePublicUrl": False,
        "signedUrlTimeout": 300,
        "attributes": {"pages": [1, 2]},
    },
]

_EXACT_NUMBERS = (
    '{"integer": 9007199254740993, "pi": 3.14159265358979323846264338327950288, '
    '"large": 123456789012345678901234567890}'
)

_SCORES = ("rank", "credibility", "popularity", "authority")

# For the first rows of a table, in order; columns that are not named are drawn as usual.
SPECIAL_ROWS: Mapping[str, Sequence[Mapping[str, Value]]] = {
    "user-saved-events": [{"note-title": title, "note": note} for title, note in _NOTES],
    "events": [{"name": row["title"], **row} for row in _EVENTS],
    "personnel": [
        {"name": "Ida Overbound", "bio": "Her rank is 2^53 + 1, which no double holds", "rank": 2**53 + 1},
        {"name": "Max Longinteger", "bio": "Only highest numbers", **dict.fromkeys(_SCORES, 2**63 - 1)},
        {"name": "Min Longinteger", "bio": "Only lowest numbers", **dict.fromkeys(_SCORES, -(2**63))},
        {"name": "Nil O'Zero", "bio": "Nought is not NULL", "rank": 0, "credibility": 0, "popularity": None},
        {"name": None, "bio": "Has no name; a unique column takes many NULLs"},
        {"name": None, "bio": "Has no name either"},
        {"name": "ida overbound", "bio": "Differs from another name by case alone"},
    ],
    "documents": [
        {"title": "Nested", "metadata": {"käse": [1, {"東京": [[], {}, None, True, "👽"]}], "": "no key"}},
        {"title": "Numbers that no double holds", "metadata": _EXACT_NUMBERS},
        {
            "title": "Escapes",
            "metadata": {"quote": '"', "backslash": "\\", "lines": "a\r\nb", "list": "1, 2"},
        },
        {"title": "A list, not an object", "metadata": [1, "two", None]},
        {"title": "A bare string", "metadata": '"just text"'},
        {"title": "A JSON null, not NULL", "metadata": "null"},
        {"title": "Longer than 131,072 characters", "content": "Nothing to report; sky clear. " * 4500},
        {"title": "A nameless file, and one that says everything", "file": _FILES},
        {"title": "No embedding, no author", "embedding": None, "author": None, "organization": None},
    ],
    "locations": [
        {
            "name": "On the equator, from the south",
            "latitude": "-0.0",
            "longitude": "0",
            "coordinates": "-0.0,0",
        },
        {"name": "The smallest doubles", "latitude": "5e-324", "longitude": "2.2250738585072014e-308"},
        {
            "name": "The largest",
            "latitude": "1.7976931348623157e+308",
            "longitude": "-1.7976931348623157e+308",
        },
        {"name": "Needs every digit", "latitude": "0.30000000000000004", "longitude": "-122.33207999999999"},
        {"name": "Exponents", "latitude": "1e-07", "longitude": "1.5E2"},
        {"name": "Nowhere", "latitude": None, "longitude": None, "city": None, "state": None},
    ],
    "sightings": [
        {"duration_seconds": "00123", "comments": "The seconds have zeros in front; they are text"},
        {"duration_seconds": "1e3", "comments": "The seconds look like a float; they are text"},
        {"city": "NULL", "state": "NA", "country": "None", "comments": "A town called NULL"},
        {"shape": "", "comments": "The shape is an empty text"},
        {"shape": None, "comments": "The shape is NULL"},
        {"description": "x" * 2048, "comments": "The description is as long as a string may be"},
    ],
    "users": [
        {"email": "first.last+tag@example.org", "external_id": "00123"},
        {"email": "First.Last+tag@example.org", "external_id": "9007199254740993"},
        {"email": None, "name": "No mail, please"},
        {"email": None, "name": "No mail either"},
    ],
}
