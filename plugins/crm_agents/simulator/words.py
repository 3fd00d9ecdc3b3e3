"""Small lists from which names, products and places are combined. Everybody and every firm here is invented."""

from __future__ import annotations

FIRST_NAMES = (
    "Ada", "Adrian", "Alba", "Alma", "Anton", "Arthur", "Bella", "Bruno", "Carla", "Cedric", "Chiara", "Clara",
    "Conrad", "Dalia", "David", "Diana", "Edgar", "Elias", "Elise", "Emil", "Enzo", "Esther", "Fabian", "Felix",
    "Fiona", "Flora", "Frida", "Gemma", "Georg", "Greta", "Hanna", "Helen", "Henri", "Hugo", "Ida", "Irene", "Isaac",
    "Ivan", "Jana", "Jasper", "Jonas", "Judith", "Julia", "Karin", "Kilian", "Lara", "Lena", "Leon", "Linus", "Lucia",
    "Magda", "Marek", "Marta", "Milan", "Mira", "Nadia", "Nelly", "Niklas", "Nora", "Olga", "Oscar", "Otto", "Paula",
    "Pia", "Quentin", "Rafael", "Regina", "Robin", "Rosa", "Ruben", "Sara", "Selma", "Simon", "Sofia", "Stella", "Sven",
    "Tamara", "Theo", "Tilda", "Tomas", "Ulla", "Urs", "Vera", "Viktor", "Wanda", "Xenia", "Yara", "Yves", "Zita",
)  # fmt: skip

LAST_NAMES = (
    "Abel", "Adler", "Aubert", "Bach", "Bauer", "Beaumont", "Becker", "Blake", "Bouvier", "Brandt", "Brooks", "Carver",
    "Colin", "Cooper", "Dahl", "Delacroix", "Doyle", "Ebert", "Egan", "Ellis", "Engel", "Fabre", "Falk", "Fisher",
    "Fleming", "Forster", "Garnier", "Gerber", "Giraud", "Graf", "Hale", "Hansen", "Hartmann", "Heller", "Holt",
    "Huber", "Imhof", "Jansen", "Jordan", "Kaiser", "Keane", "Keller", "Kern", "Kraft", "Lambert", "Lang", "Laurent",
    "Lenz", "Lorenz", "Mahler", "Marchand", "Martens", "Mercer", "Morel", "Nagel", "Nolan", "Novak", "Oakley", "Ott",
    "Page", "Perrin", "Pohl", "Quinn", "Raab", "Renard", "Ritter", "Roche", "Sachs", "Sauer", "Schell", "Seidel",
    "Stark", "Stone", "Taylor", "Thiel", "Tremblay", "Ulrich", "Vance", "Vidal", "Vogel", "Wagner", "Walsh", "Weber",
    "Winter", "Wolf", "York", "Zander", "Ziegler",
)  # fmt: skip

FIRM_NAMES = (
    "Abendrot", "Alder", "Amberg", "Argent", "Aurora", "Bergwerk", "Birke", "Bluestone", "Boreal", "Brightwater",
    "Cedar", "Clairmont", "Cobalt", "Corvus", "Delta", "Eastgate", "Eiche", "Ember", "Evergreen", "Falken", "Fjord",
    "Fontaine", "Foxglove", "Granit", "Greenfield", "Hafen", "Harbour", "Helios", "Highland", "Indigo", "Ironwood",
    "Juniper", "Kestrel", "Kiesel", "Lantern", "Lichtung", "Linden", "Lumen", "Maple", "Meridian", "Montclair",
    "Mosaic", "Nordlicht", "Northgate", "Oakfield", "Orion", "Pelican", "Pine", "Polaris", "Quarry", "Quartz",
    "Redwood", "Rivage", "Rowan", "Sable", "Silberbach", "Solstice", "Sterling", "Summit", "Tannen", "Tidewater",
    "Umbra", "Valmont", "Verdant", "Vesper", "Waldhaus", "Westbridge", "Willow", "Zenith", "Zephyr",
)  # fmt: skip

# industry -> trade names; a firm's customer segment follows its industry
INDUSTRIES = ("hospitality", "trades", "services", "retail")
TRADES = (
    ("Cafe", "Hotel", "Kitchen", "Catering", "Bistro"),
    ("Joinery", "Installations", "Metalwork", "Roofing", "Garages"),
    ("Consulting", "Accounting", "Studios", "Partners", "Systems"),
    ("Stores", "Trading", "Outfitters", "Markets", "Supplies"),
)
LEGAL_FORMS = (("GmbH", "AG", "KG"), ("SARL", "SAS", "SA"), ("Ltd", "plc", "LLP"), ("Ltd", "DAC", "LLP"))

COUNTRIES = ("DE", "FR", "GB", "IE")
COUNTRY_SHARES = (0.46, 0.27, 0.2, 0.07)
CITIES = (
    ("Berlin", "Hamburg", "Köln", "Leipzig", "München", "Bremen", "Dresden", "Stuttgart"),
    ("Paris", "Lyon", "Lille", "Nantes", "Bordeaux", "Rennes", "Dijon", "Nice"),
    ("London", "Leeds", "Bristol", "Cardiff", "Glasgow", "Norwich", "Exeter", "Durham"),
    ("Dublin", "Cork", "Galway", "Limerick", "Sligo", "Waterford", "Kilkenny", "Ennis"),
)
POSTAL_CODES = (("1", 4), ("7", 4), ("BX", 2), ("D0", 1))  # prefix, digits behind it
REGIONS = ("North", "East", "South", "West")
WEAK_REGION = 2  # the carrier of the South is late more often
LANGUAGES = ("de", "fr", "en", "en")

# Numbers that the regulators of the four countries keep free for fiction: prefix, free digits behind it.
PHONE_RANGES = (
    (("+49 30 23125", 3), ("+49 69 90009", 3), ("+49 40 66969", 3), ("+49 221 4710", 3), ("+49 89 99998", 3)),
    (("+33 1 9900 ", 4), ("+33 2 6191 ", 4), ("+33 3 5301 ", 4), ("+33 4 6571 ", 4), ("+33 5 3649 ", 4)),
    (("+44 20 7946 0", 3), ("+44 113 496 0", 3), ("+44 117 496 0", 3), ("+44 141 496 0", 3), ("+44 7700 900", 3)),
    (("+353 20 910 ", 4), ("+353 20 911 ", 4), ("+353 20 912 ", 4), ("+353 20 913 ", 4), ("+353 20 914 ", 4)),
)
MAIL_DOMAINS = ("example.com", "example.org", "example.net")

ADJECTIVES = (
    "Oak", "Steel", "Slim", "Classic", "Compact", "Large", "Linen", "Round", "Folding", "Blue", "Light", "Heavy",
    "Travel", "Natural", "Bright", "Quiet", "Narrow", "Double", "Soft", "Smart", "Rustic", "Modern", "Mini", "Sturdy",
)  # fmt: skip

NOUNS = {
    "Kitchen": ("Chopping Board", "Saucepan", "Whisk", "Bread Tin", "Pepper Mill", "Teapot", "Colander", "Bowl Set",
                "Knife Block", "Measuring Jug", "Tray", "Ladle", "Storage Jar", "Apron"),
    "Garden": ("Trowel", "Watering Can", "Plant Pot", "Hedge Shears", "Seed Tray", "Hose Reel", "Bird Feeder", "Rake",
               "Garden Gloves", "Potting Mix", "Lantern", "Kneeler", "Trellis", "Herb Kit"),
    "Office": ("Notebook", "Pen Set", "Desk Pad", "Ring Binder", "Stapler", "Whiteboard", "File Box", "Label Roll",
               "Paper Ream", "Desk Lamp", "Planner", "Envelope Pack", "Document Tray", "Marker Set"),
    "Workshop": ("Screwdriver Set", "Hammer", "Tool Bag", "Drill Bits", "Work Light", "Clamp", "Tape Measure", "Pliers",
                 "Saw", "Sanding Block", "Socket Set", "Safety Glasses", "Spirit Level", "Workbench Mat"),
    "Cleaning": ("Floor Cleaner", "Sponge Pack", "Broom", "Microfibre Cloth", "Dish Brush", "Soap Refill", "Bucket",
                 "Glass Spray", "Laundry Pods", "Bin Bags", "Duster", "Scrub Pad", "Mop Head", "Hand Towels"),
    "Decoration": ("Vase", "Candle", "Picture Frame", "Wreath", "Garland", "Mirror", "Clock", "Ornament Set", "Basket",
                   "Wall Hook", "String Lights", "Tea Light Holder", "Cushion Cover", "Poster"),
    "Textiles": ("Bath Towel", "Tablecloth", "Throw", "Pillow", "Duvet Cover", "Tea Towel", "Curtain", "Bath Mat",
                 "Blanket", "Oven Glove", "Napkin Set", "Fitted Sheet", "Rug", "Seat Pad"),
    "Electronics": ("Kettle", "Toaster", "Radio", "Charger", "Headphones", "Desk Fan", "Speaker", "Timer", "Torch",
                    "Extension Lead", "Scale", "Thermometer", "Keyboard", "Webcam"),
}  # fmt: skip

EQUIPMENT = {
    "Kitchen": "Espresso Station",
    "Garden": "Irrigation System",
    "Office": "Meeting Room Kit",
    "Workshop": "Workshop Fit-out",
    "Cleaning": "Floor Care Machine",
    "Decoration": "Display Wall",
    "Textiles": "Linen Service Starter",
    "Electronics": "Point-of-Sale Set",
}
