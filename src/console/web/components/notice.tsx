import type { ComponentChildren, JSX } from 'preact';
import { Icon } from './icon.js';

/** What has to be known before something is done; `attention` where it may hurt. */
export function Notice(props: {
  readonly tone?: 'information' | 'attention';
  readonly children: ComponentChildren;
}): JSX.Element {
  const { tone = 'information', children } = props;
  return (
    <div class={`notice ${tone}`}>
      <Icon name={tone === 'attention' ? 'warning' : 'information'} />
      <div>{children}</div>
    </div>
  );
}
