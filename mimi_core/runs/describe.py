"""Events as one line of plain text each, for the log and the terminal."""

from mimi_core.runs.events import EpochEnded, Evaluated, Event, Pruned, RunEnded, RunStarted, Scored, Warned


def describe(event: Event) -> str:
    match event:
        case RunStarted():
            neurons = sum(event.initial_widths.values())
            adapters = f"{len(event.sites)} adapters, {neurons} neurons, " if event.sites else ""
            return (
                f"{adapters}{event.trained_parameters:,} trained parameters, {len(event.keep_fractions)} cuts to come; "
                f"{event.split_sizes['train']} training images; {event.device}"
            )
        case EpochEnded():
            return (
                f"cycle {event.cycle} epoch {event.epoch}: loss {event.loss:.4f}, "
                f"training accuracy {event.accuracy:.1%}, {event.images_per_second:.0f} images/s"
            )
        case Scored():
            return f"cut {event.cycle}: scored by {event.score}, keeping {event.keep_fraction:.1%} of the first neurons"
        case Pruned():
            gone = f"; gone: {', '.join(event.removed)}" if event.removed else ""
            return (
                f"cut {event.cycle}: {event.neurons_before} -> {event.neurons_after} neurons, "
                f"{event.trained_parameters:,} trained parameters, {event.seconds * 1000:.0f} ms{gone}"
            )
        case Evaluated():
            when = "right after the cut" if event.stage == "cut" else "after training"
            return f"cycle {event.cycle} {when}: {event.split} accuracy {event.accuracy:.2%}, loss {event.loss:.4f}"
        case Warned():
            return f"warning: {event.message}"
        case RunEnded():
            return f"{event.status} after {event.seconds:.1f} s{': ' + event.message if event.message else ''}"
