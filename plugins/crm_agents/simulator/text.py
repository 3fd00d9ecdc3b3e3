"""Words of tickets and of feedback, put together from phrases, so that texts of a category vary."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns

GREETINGS = ("Hello, ", "Dear team, ", "Hi, ", "Good morning, ", "", "To whom it may concern: ")
CLOSINGS = (
    " Please help.", " Thank you.", " I look forward to your answer.", " Please call me back.", "",
    " This is urgent for us.", " Kind regards.", " What can you do about it?",
)  # fmt: skip

# By category of `troubles.CATEGORIES`: subjects, what happened, and a detail. {product} is the product's name.
SUBJECTS = (
    ("Where is my order?", "Parcel late", "Delivery problem", "Order not arrived", "Wrong delivery address"),
    ("Broken on arrival", "Product defect", "Complaint about quality", "Wrong item", "Does not work"),
    ("Invoice question", "Charged twice", "Refund still missing", "Wrong amount", "Payment reminder by mistake"),
    ("Cannot log in", "Change my address", "Close my account", "Password reset", "Loyalty points missing"),
    ("Question about a product", "Is it in stock?", "Size and colour", "Delivery to another country", "Bulk prices"),
)
STORIES = (
    ("the {product} that I ordered has not arrived.", "my parcel with the {product} is late again.",
     "tracking has shown no movement for my {product} for days.", "the driver left the {product} with nobody here.",
     "you promised the {product} for last week and nothing came.", "only part of the delivery came: no {product}."),
    ("the {product} arrived broken.", "the {product} stopped working after two days.",
     "the {product} is not what the picture shows.", "I got another item instead of the {product}.",
     "parts of the {product} are missing.", "the {product} came scratched and in a torn box."),
    ("I was charged twice for the {product}.", "the invoice for the {product} shows the wrong amount.",
     "I sent the {product} back and still wait for the refund.", "the discount on the {product} was not deducted.",
     "I need an invoice with our tax number for the {product}.", "you remind me of a bill for the {product} that is paid."),
    ("I cannot log in any more.", "please change the address of my account.", "my loyalty points are not shown.",
     "the password mail never arrives.", "I want my account to be closed.", "my order history is empty after the update."),
    ("is the {product} still in stock?", "does the {product} come in another size?",
     "can you send the {product} abroad?", "what is the price for ten pieces of the {product}?",
     "how do I clean the {product}?", "when will the {product} be back?"),
)  # fmt: skip
DETAILS = (
    (" I needed it for the weekend.", " Nobody answers the phone.", " The shop page says delivered.", "",
     " This is the second time."),
    (" I attach a photo.", " I want a replacement.", " I want my money back.", "", " The seal was open."),
    (" My bank shows both bookings.", " Please correct it before the month ends.", "", " I asked before.",
     " Our bookkeeping needs it."),
    (" I tried three browsers.", "", " We moved last month.", " It worked yesterday.", " I use the app."),
    ("", " I would order today.", " It is for a present.", " We are a small firm.", " I found nothing on the page."),
)  # fmt: skip

REVIEWS = (
    ("Never again.", "Very disappointed with the {product}.", "Came far too late.", "Broken, and no answer."),
    ("Not what I expected.", "The {product} is so so and came late.", "Below average."),
    ("It is all right.", "The {product} does its job.", "Average quality, fair price."),
    ("Good {product}.", "Quick delivery, good quality.", "Happy with it, small things to improve."),
    ("Excellent {product}!", "Perfect, will order again.", "Fast, friendly, just right.", "Best {product} I have had."),
)


def ticket_texts(category: np.ndarray, product: pa.Array, rng: np.random.Generator) -> tuple[pa.Array, pa.Array]:
    """Return subject and body of each ticket.

    Parameters
    ----------
    category : numpy.ndarray
        Number of the ticket's category.
    product : pyarrow.Array
        Name of the product that it is about.
    """
    subject = _phrases(SUBJECTS, category, rng)
    story = _with_product(_phrases(STORIES, category, rng), product)
    greeting = columns.pick(GREETINGS, rng.integers(len(GREETINGS), size=len(category)))
    closing = columns.pick(CLOSINGS, rng.integers(len(CLOSINGS), size=len(category)))
    return subject, columns.join(greeting, story, _phrases(DETAILS, category, rng), closing)


def review_texts(score: np.ndarray, product: pa.Array, rng: np.random.Generator) -> pa.Array:
    """Return a review for each score from 1 to 5."""
    return _with_product(_phrases(REVIEWS, score - 1, rng), product)


def _phrases(by_group: tuple[tuple[str, ...], ...], group: np.ndarray, rng: np.random.Generator) -> pa.Array:
    sizes = np.array([len(phrases) for phrases in by_group])
    first = np.cumsum(sizes) - sizes
    choice = rng.integers(2**31, size=len(group)) % sizes[group]
    return columns.pick([phrase for phrases in by_group for phrase in phrases], first[group] + choice)


def _with_product(phrases: pa.Array, product: pa.Array) -> pa.Array:
    parts = pa.compute.split_pattern(phrases, "{product}", max_splits=1)
    before = pa.compute.list_element(parts, 0)
    has_slot = pa.compute.greater(pa.compute.list_value_length(parts), 1)
    after = pa.compute.replace_substring_regex(phrases, r"^.*\{product\}", "")
    return pa.compute.if_else(has_slot, columns.join(before, product, after), phrases)
