"""How fast rows come and how long it will go on, in words."""

from __future__ import annotations

__all__ = ["describe_files", "describe_pace", "describe_seconds"]


def describe_pace(rows: int, seconds: float, done: int = 0, total: int | None = None) -> str:
    """Say how many rows came at what speed; with `total` bytes to read, how far that is and how long it goes on.

    >>> describe_pace(1_200_000, 15, done=300, total=1200)
    '1,200,000 rows, 25 %, 80,000 rows/s, about 45 s to go'
    >>> describe_pace(500, 2)
    '500 rows, 250 rows/s'
    """
    words = [f"{rows:,} rows"]
    if total:
        words.append(f"{min(done / total, 1):.0%}".replace("%", " %"))
    words.append(f"{rows / max(seconds, 1e-3):,.0f} rows/s")
    if total and 0 < done < total:
        words.append(f"about {describe_seconds(seconds * (total - done) / done)} to go")
    return ", ".join(words)


def describe_files(files: int, size: int) -> str:
    """Say how many files were seen to.

    >>> describe_files(1200, 34_500_000)
    '1,200 files, 34.5 MB'
    """
    return f"{files:,} files, {size / 1e6:,.1f} MB"


def describe_seconds(seconds: float) -> str:
    """Say how long that is, to two places of what matters.

    >>> [describe_seconds(each) for each in (0.35, 9.44, 45, 200, 5000)]
    ['0.35 s', '9.4 s', '45 s', '3 min 20 s', '1 h 23 min']
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
