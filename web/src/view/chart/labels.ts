/** Labels on the price axis: pushed apart so that none lies on another. The last price's label never moves. */

export interface Label {
  key: string;
  /** Where it belongs, in pixels from the top. */
  y: number;
  fixed: boolean;
}

const APART = 19;
const ROUNDS = 8;

/** By key, where each label is to be drawn. */
export function spread(labels: readonly Label[]): Map<string, number> {
  const placed = labels.map((label) => ({ ...label })).sort((a, b) => a.y - b.y);
  for (let round = 0; round < ROUNDS; round += 1) {
    let moved = false;
    for (let index = 1; index < placed.length; index += 1) {
      const above = placed[index - 1];
      const below = placed[index];
      if (above === undefined || below === undefined) continue;
      const lack = APART - (below.y - above.y);
      if (lack <= 0.01) continue;
      const share = above.fixed ? 0 : below.fixed ? 1 : 0.5;
      above.y -= lack * share;
      below.y += lack * (1 - share);
      moved = true;
    }
    if (!moved) break;
  }
  return new Map(placed.map((label) => [label.key, label.y]));
}
