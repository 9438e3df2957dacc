"""What the actions say about an order."""

from __future__ import annotations

from datetime import date

from .shop import RETURN_DAYS, Order

NOT_A_NUMBER = (
    "That does not look like an order number of ours. It starts with FW and has six digits, for example FW-104233."
)


def unknown(number: str) -> str:
    return f"I cannot find an order {number}. Please check the number in your confirmation e-mail."


def day(when: date) -> str:
    return f"{when:%A}, {when.day} {when:%B}"


def status(order: Order, today: date) -> str:
    about = f"Order {order.number} ({order.product})"
    if order.returned:
        return (
            f"{about} has been returned under {order.returned}. The refund takes up to 5 working days after it arrived."
        )
    match order.status:
        case "received":
            return f"{about} has been received and will be packed today or on the next working day."
        case "packing":
            return f"{about} is being packed. We expect to deliver it on {day(order.due_on)}."
        case "dispatched" if order.due_on < today:
            return (
                f"{about} is with the courier and overdue since {day(order.due_on)}. A colleague can chase it for you."
            )
        case "dispatched":
            return f"{about} is with the courier and should arrive on {day(order.due_on)}."
        case "cancelled":
            return f"{about} was cancelled. Nothing is sent or charged."
        case _:
            return f"{about} was delivered on {day(order.due_on)}."


def refusal(order: Order, reason: str) -> str:
    about = f"Order {order.number} ({order.product})"
    match reason:
        case "returned":
            return f"{about} already has a return, its code is {order.returned}."
        case "late":
            return (
                f"{about} was delivered on {day(order.due_on)}, more than {RETURN_DAYS} days ago, so it can no longer "
                "be returned. If it is faulty, the 2-year warranty covers it: fernwood.example.com/warranty."
            )
        case "cancelled":
            return f"{about} was cancelled, so there is nothing to return."
        case _:
            return f"{about} has not been delivered yet. You can start the return once it has arrived."


def worn(order: Order) -> str:
    return (
        "I am sorry, but items that were used outdoors cannot be returned unless they are faulty, so I did not start "
        f"a return for order {order.number}. If you see it differently, say that you want to talk to a person."
    )


def started(order: Order, code: str) -> str:
    return (
        f"Your return for order {order.number} ({order.product}) has been started, its code is {code}. The label and a "
        "QR code are in Account > Orders. Leave the parcel at any ParcelPoint shop within 14 days."
    )
