import type { ComponentChildren, HTMLAttributes } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSize } from '../lib/use-size.ts';

/** Rows that are drawn above and below what is seen, so that scrolling finds them there. */
const MORE_ROWS = 8;

interface VirtualListProps<Row> extends Omit<HTMLAttributes<HTMLDivElement>, 'rows' | 'children'> {
  rows: readonly Row[];
  rowHeight: number;
  /** The row that has to be in sight; it is brought there when it changes. */
  active?: number;
  keyOf(row: Row): string | number;
  /** Told which rows are in sight. */
  onSeen?(first: number, last: number): void;
  children(row: Row, index: number): ComponentChildren;
}

/** A list of rows of one height, however many: only those in sight are drawn. */
export function VirtualList<Row>({
  rows,
  rowHeight,
  active,
  keyOf,
  onSeen,
  children,
  ...rest
}: VirtualListProps<Row>) {
  const ref = useRef<HTMLDivElement>(null);
  const { height } = useSize(ref);
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / rowHeight) - MORE_ROWS);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + MORE_ROWS);
  useEffect(() => onSeen?.(first, last), [first, last, rows.length]);
  useEffect(() => {
    const element = ref.current;
    if (element === null || active === undefined) return;
    const above = active * rowHeight;
    if (above < element.scrollTop) element.scrollTop = above;
    const below = above + rowHeight - element.clientHeight;
    if (below > element.scrollTop) element.scrollTop = below;
  }, [active]);
  return (
    <div {...rest} ref={ref} onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}>
      <div class="virtual" role="presentation" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, last).map((row, index) => (
          <div
            class="virtual-row"
            role="presentation"
            key={keyOf(row)}
            style={{ transform: `translateY(${(first + index) * rowHeight}px)`, height: `${rowHeight}px` }}
          >
            {children(row, first + index)}
          </div>
        ))}
      </div>
    </div>
  );
}
