"""Which answer rule has answered a delivery."""

from tests.inspector.conftest import Served
from tiktok_hook.delivery import Delivery, DeliveryAnswered
from tiktok_hook.inspector.rules_used import MAX_REMEMBERED, RulesUsed

RULE = ("post.publish.*", "500, the first time of each event")


def _answer(used: RulesUsed, delivery: Delivery, rule: tuple[str, str] | None) -> None:
    used.handlers()[DeliveryAnswered](DeliveryAnswered(delivery, rule=rule))


def test_the_rules_of_the_newest_deliveries_are_remembered() -> None:
    used = RulesUsed()
    for number in range(MAX_REMEMBERED + 2):
        _answer(used, Delivery(received_at=1.0, id=number), RULE)
    _answer(used, Delivery(received_at=1.0, id=5000), None)
    assert used.of(1) is None
    assert used.of(2) == used.of(MAX_REMEMBERED + 1) == RULE
    assert used.of(5000) is None


async def test_a_delivery_names_the_rule_that_answered_it(served: Served) -> None:
    stored = await served.receive(status=500)
    shown = await served.get(f"/api/v1/deliveries/{stored.id}")
    assert shown["answer_rule"] is None
    served.feed.publish(DeliveryAnswered(stored, rule=RULE))
    shown = await served.get(f"/api/v1/deliveries/{stored.id}")
    assert shown["answer_rule"] == {"filter": RULE[0], "answer": RULE[1]}
