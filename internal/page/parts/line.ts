/** One line of a chart. */
export interface Line {
  name: string;
  /** Of the history. */
  series: string;
}
