interface FigureProps {
  name: string;
  value: string;
  unit?: string;
  href?: string;
  isBad?: boolean;
}

/** One of the large numbers at the top of a view, which stand in a list of the class `figures`. */
export function Figure({ name, value, unit, href, isBad = false }: FigureProps) {
  return (
    <li class={isBad ? 'figure figure-bad' : 'figure'}>
      <span class="figure-name">{href === undefined ? name : <a href={href}>{name}</a>}</span>
      <span class="figure-value">{value}</span>
      {unit && <span class="figure-unit">{unit}</span>}
    </li>
  );
}
