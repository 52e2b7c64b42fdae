/** One line of a chart. */
export interface Line {
  name: string;
  /** Of the history. */
  series: string;
  /** The number of its colour, which stays its own. */
  colour: number;
}
