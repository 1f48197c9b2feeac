import { useEffect, useRef } from 'preact/hooks';

/** Calls back again and again as long as somebody can see the page. @param ms - time between two calls */
export function useEvery(ms: number, call: () => void): void {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) latest.current();
    }, ms);
    return () => clearInterval(timer);
  }, [ms]);
}
