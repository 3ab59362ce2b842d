#!/usr/bin/env python3
"""overlaps.py FILE.svg... >PAGE.html - a page on which a browser says where a picture cannot be read.

Each picture is drawn, and each of its texts measured as it came out. The page then has one line for each
text that lies on another or on the X of a lost segment, and for each that sticks out of its picture.
"""
import html
import os
import sys

SCRIPT = r"""
// The four corners of an element as it is drawn: a little less than its box, which has room above and below.
function corners(element, less) {
    const box = element.getBBox(), m = element.getCTM(), high = box.height * less;
    const x = [box.x + 1, box.x + box.width - 1], y = [box.y + high, box.y + box.height - high];
    return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([i, k]) =>
        [m.a * x[i] + m.c * y[k] + m.e, m.b * x[i] + m.d * y[k] + m.f]);
}

// Two boxes are apart if there is a line between them, and if there is, one along a side of one of them.
function apart(a, b) {
    for (const box of [a, b])
        for (let i = 0; i < 4; i++) {
            const [p, q] = [box[i], box[(i + 1) % 4]], length = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1;
            const along = (of) => of.map((c) => ((q[1] - p[1]) * c[0] - (q[0] - p[0]) * c[1]) / length);
            const [s, t] = [along(a), along(b)];
            if (Math.max(...s) <= Math.min(...t) + 0.5 || Math.max(...t) <= Math.min(...s) + 0.5) return true;
        }
    return false;
}

const lines = [];
for (const holder of document.querySelectorAll("div")) {
    const svg = holder.shadowRoot.querySelector("svg"), name = holder.dataset.name;
    const width = +svg.getAttribute("width"), height = +svg.getAttribute("height"), things = [];
    for (const text of svg.querySelectorAll("text"))
        if (text.textContent.trim()) things.push({name: text.textContent, box: corners(text, 0.22)});
    for (const thing of things)
        if (thing.box.some(([x, y]) => x < 0 || x > width || y < 0 || y > height))
            lines.push(`${name}: sticks out: ${thing.name}`);
    for (const x of svg.querySelectorAll("path.lost")) things.push({name: "X", box: corners(x, 0.2)});
    things.forEach((a, i) => things.slice(i + 1).forEach((b) => {
        if (!apart(a.box, b.box)) lines.push(`${name}: on each other: ${a.name} | ${b.name}`);
    }));
    lines.push(`${name}: ${things.length} measured`);
}
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = lines.join("\n") + "\n";
"""

print("<!doctype html><meta charset=utf-8><body>")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        # In a tree of its own, so that its style is not that of the others.
        print('<div data-name="%s"><template shadowrootmode="open">%s</template></div>'
              % (html.escape(os.path.basename(path)), file.read()))
print("<script>%s</script>" % SCRIPT)
