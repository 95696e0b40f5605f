/** A small plot as SVG: logarithmic axes, a line a series with its name at its end. Legible on light and on dark. Pure. */

export interface Series {
  readonly name: string;
  /** Both above 0, in rising order of x. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [640, 340];
/** Of the area; names of series stand on its right. */
const AREA = { left: 64, top: 44, right: 440, bottom: 284 };
const NAME_GAP = 16;
/** Readable on white and on black; told apart by their dashes, too. */
const COLOURS = ["#0b84d8", "#d9661f", "#2c9b5f"];
const DASHES = ["none", "7 4", "2 3"];
const STYLE = `text { font: 12px system-ui, sans-serif; fill: #767676 } .title { font-size: 14px; font-weight: 600 }
.grid { stroke: #8884; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #c0c0c0 } }`;

export function svgOf({ title, x, y, series }: Plot): string {
  const points = series.flatMap((one) => one.points);
  const across = scale(
    points.map((point) => point.x),
    AREA.left,
    AREA.right,
  );
  const up = scale(
    points.map((point) => point.y),
    AREA.bottom,
    AREA.top,
  );
  const { left, right, top, bottom } = AREA;
  const parts = [
    ...across.ticks.flatMap((value) => {
      const at = across.place(value);
      return [line("grid", at, top, at, bottom), text(at, bottom + 18, label(value), "middle")];
    }),
    ...up.ticks.flatMap((value) => {
      const at = up.place(value);
      return [line("grid", left, at, right, at), text(left - 8, at + 4, label(value), "end")];
    }),
    `<text class="title" x="8" y="20">${escaped(title)}</text>`,
    text((left + right) / 2, HEIGHT - 16, x, "middle"),
    `<text transform="translate(16 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    ...series.flatMap((one, at) => drawn(one, at, across.place, up.place)),
    ...names(series, up.place),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
${parts.join("\n")}
</svg>
`;
}

function drawn({ points }: Series, at: number, across: Place, up: Place): readonly string[] {
  const colour = COLOURS[at % COLOURS.length] ?? "";
  const places = points.map((point) => [across(point.x).toFixed(1), up(point.y).toFixed(1)] as const);
  const dashes = `stroke-dasharray="${DASHES[at % DASHES.length]}"`;
  return [
    `<polyline class="line" stroke="${colour}" ${dashes} points="${places.map((one) => one.join(",")).join(" ")}"/>`,
    ...places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
  ];
}

/** Each at the height of its last point, or below the one before where that is too near. */
function names(series: readonly Series[], up: Place): readonly string[] {
  const ends = series
    .map(({ name, points }, at) => ({ name, at, height: up(points.at(-1)?.y ?? 1) }))
    .sort((one, other) => one.height - other.height);
  let least = 0;
  return ends.map(({ name, at, height }) => {
    const place = Math.max(height + 4, least);
    least = place + NAME_GAP;
    const colour = COLOURS[at % COLOURS.length];
    return `<text x="${AREA.right + 10}" y="${place.toFixed(1)}" style="fill: ${colour}">${escaped(name)}</text>`;
  });
}

type Place = (value: number) => number;

/** From a power of ten below the values to one above them, each with a tick. */
function scale(values: readonly number[], from: number, to: number): { place: Place; ticks: readonly number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  return {
    place: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)),
  };
}

function line(name: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${name}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`;
}

function text(x: number, y: number, words: string, anchor: "middle" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function label(value: number): string {
  return value < 1 ? String(Number(value.toPrecision(1))) : value.toLocaleString("en", { notation: "compact" });
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
