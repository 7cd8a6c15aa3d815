"""How probable so many failures are when nothing is wrong: tails of the beta-binomial, and what follows from them."""

from math import exp, inf, lgamma, log, log1p

_NEGLIGIBLE = 1e-13
_NO_NOISE = 1e-9
_LONGEST_RUN = 200
_OUTSIDE = 0.025
_HALVINGS = 50


def upper_tail(failed: int, orders: int, *, rate: float, noise: float) -> float:
    """Return Pr[X >= failed] of the beta-binomial with mean `rate` and correlation `noise` (rho).

    Both lie in (0, 1); without noise it is the binomial. The sum starts at the end that is nearer, so a small tail
    keeps its digits.
    """
    if failed <= 0:
        return 1.0
    if failed > orders:
        return 0.0
    if failed > orders * rate:
        return min(1.0, _sum_up(failed, orders, rate, noise))
    # Failures below k are successes above n - k of the mirrored law.
    return max(0.0, 1.0 - _sum_up(orders - failed + 1, orders, 1.0 - rate, noise))


def _sum_up(first: int, orders: int, rate: float, noise: float) -> float:
    """Add the probabilities from `first`, which lies above the mean, upwards."""
    is_noisy = noise >= _NO_NOISE
    a, b = _shape(rate, noise) if is_noisy else (0.0, 0.0)
    odds = rate / (1.0 - rate)
    term = exp(log_mass(first, orders, rate=rate, noise=noise))
    total = term
    for k in range(first, orders):
        term *= (orders - k) / (k + 1) * ((k + a) / (orders - k - 1 + b) if is_noisy else odds)
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return total


def log_mass(failed: int, orders: int, *, rate: float, noise: float) -> float:
    """Return the logarithm of Pr[X = failed] of the beta-binomial, without noise of the binomial."""
    ways = lgamma(orders + 1) - lgamma(failed + 1) - lgamma(orders - failed + 1)
    if noise < _NO_NOISE:
        return ways + failed * log(rate) + (orders - failed) * log1p(-rate)
    a, b = _shape(rate, noise)
    above = lgamma(failed + a) + lgamma(orders - failed + b) - lgamma(orders + a + b)
    return ways + above - lgamma(a) - lgamma(b) + lgamma(a + b)


def _shape(rate: float, noise: float) -> tuple[float, float]:
    spread = (1.0 - noise) / noise
    return rate * spread, (1.0 - rate) * spread


def poisson_lower_tail(seen: int, expected: float) -> float:
    """Return Pr[X <= seen] of the Poisson law: how probable so little traffic is."""
    if expected <= 0:
        return 1.0
    is_little = seen < expected
    k = seen if is_little else seen + 1
    term = exp(k * log(expected) - expected - lgamma(k + 1))
    total = term
    while term > total * _NEGLIGIBLE and (k > 0 or not is_little):
        k, factor = (k - 1, k / expected) if is_little else (k + 1, expected / (k + 1))
        term *= factor
        total += term
    return total if is_little else 1.0 - total


def poisson_interval(seen: int) -> tuple[float, float]:
    """Return the means between which 95 % of the evidence lies when so many events were seen (Garwood's, exact)."""
    low = _mean_where(seen - 1, 1.0 - _OUTSIDE) if seen else 0.0
    return low, _mean_where(seen, _OUTSIDE)


def _mean_where(seen: int, share: float) -> float:
    """Return the mean at which at most `seen` events have this probability; it falls as the mean grows."""
    low, high = 0.0, 2.0 * seen + 10.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if poisson_lower_tail(seen, middle) > share else (low, middle)
    return high


def run_length(*, rate: float, noise: float, orders_a_day: float, false_a_day: float) -> float:
    """Return how many failed orders in a row are too many to be chance.

    A run begins after each success, so a day has about orders * (1 - rate) chances of one; the length is the first
    at which those make at most `false_a_day` false runs. Infinite where no run says anything.
    """
    a, b = _shape(rate, noise)
    chances = orders_a_day * (1.0 - rate)
    for length in range(1, _LONGEST_RUN + 1):
        chances *= (a + length - 1) / (a + b + length - 1)
        if chances <= false_a_day:
            return length
    return inf
