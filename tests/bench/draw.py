# SPDX-License-Identifier: BSD-3-Clause
"""draw.py - what was measured, as a table on standard output and as SVG."""
import html

from turns import beside, note

OURS, OTHERS = "#326ce5", "#999"
LINES = ["#222", "#9dbcf7", OURS, "#e08a00", "#b00020"]


def table(title, rows, base):
    print("\n%s\n  %-26s %8s %8s %9s %9s" % (title, "", "CPU s", "ratio", "MiB", "lost"))
    for name, r in rows.items():
        ratio = (beside(r, rows[base], "cpu_s") if base in rows else None) or (0, None)
        lost = "%d" % r["lost"] if "lost" in r else ""
        sender = "  sender %d/s" % r["sender_per_s"] if "sender_per_s" in r else ""
        print("  %-26s %8.3f %8.2f %9.1f %9s%s%s" % (name, r["cpu_s"], ratio[0], r["rss_mib"], lost,
                                                     sender, note(r)), flush=True)


def svg(path, width, height, title, parts):
    with open(path, "w", encoding="utf-8") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
                'font-family="sans-serif" font-size="13"><rect width="100%%" height="100%%" '
                'fill="#fff"/><text x="10" y="22" font-weight="bold">%s</text>%s</svg>\n' % (
                    width, height, html.escape(title), "".join(parts)))


def bars(path, title, rows, base):
    """CPU time relative to base's."""
    values = [(k, beside(r, rows[base], "cpu_s")[0]) for k, r in rows.items() if r["cpu_s"]]
    most, bar, parts = max(v for _, v in values), 24, []
    for i, (name, v) in enumerate(values):
        y, length = 40 + i * (bar + 8), max(1.0, 380 * v / most)
        parts.append('<text x="10" y="%d">%s</text>' % (y + 17, html.escape(name)))
        parts.append('<rect x="190" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
            y, length, bar, OURS if "podhop" in name else OTHERS))
        parts.append('<text x="%.1f" y="%d">%.2f</text>' % (196 + length, y + 17, v))
    svg(path, 640, 50 + len(values) * (bar + 8), "%s: CPU time, %s = 1" % (title, base), parts)


def loss_lines(path, curve):
    """Frames lost against the rate that was offered, a line a recorder."""
    left, top, width, height = 60, 40, 380, 220
    fastest = max(row["rate"] for row in curve)
    most = max(0.1, max(v for row in curve for v in row["lost_share"].values()))
    parts = []
    for k in range(5):
        y = top + height - height * k / 4
        parts.append('<path d="M%d %.1fh%d" stroke="#ddd"/>' % (left, y, width))
        parts.append('<text x="%d" y="%.1f" text-anchor="end">%.0f %%</text>' % (
            left - 8, y + 4, 100 * most * k / 4))
    for row in curve:
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%d</text>' % (
            left + width * row["rate"] / fastest, top + height + 20, row["rate"] / 1000))
    parts.append('<text x="%d" y="%d" text-anchor="middle">thousand packets a second, each at four '
                 'hops</text>' % (left + width / 2, top + height + 42))
    for i, name in enumerate(curve[0]["lost_share"]):
        points = " ".join("%.1f,%.1f" % (
            left + width * row["rate"] / fastest,
            top + height - height * row["lost_share"][name] / most) for row in curve)
        # Those behind are broader, so that lines on top of one another are all seen.
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="%d"/>' % (
            points, LINES[i % len(LINES)], max(2, 10 - 2 * i)))
        y = top + 12 + 22 * i
        parts.append('<path d="M%d %dh24" stroke="%s" stroke-width="4"/><text x="%d" y="%d">%s'
                     '</text>' % (left + width + 20, y, LINES[i % len(LINES)], left + width + 52,
                                  y + 4, html.escape(name)))
    svg(path, 680, top + height + 60, "frames lost, of all at four hops", parts)
