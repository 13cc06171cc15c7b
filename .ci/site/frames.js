// A browser runs no worker for a page that was opened from a file. The search of the site is one, so there its script
// runs in a hidden frame, which gets and sends the same messages. Pages that a server sends have real workers.
if (location.protocol === "file:")
  window.Worker = class {
    onmessage = null
    onerror = null
    onmessageerror = null
    #waiting = []

    constructor(address) {
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.documentElement.append(this.frame)
      const inside = this.frame.contentWindow
      inside.postMessage = said => this.#later(said, data => this.onmessage?.({ data }))
      const script = inside.document.createElement("script")
      script.src = new URL(address, location.href)
      script.onerror = error => this.onerror?.(error)
      script.onload = () => {
        const waiting = this.#waiting
        this.#waiting = null
        for (const data of waiting) this.postMessage(data)
      }
      inside.document.head.append(script)
    }

    postMessage(data) {
      if (this.#waiting) this.#waiting.push(data)
      else this.#later(data, data => this.frame.contentWindow?.onmessage?.({ data }))
    }

    #later(said, hear) {
      const copy = structuredClone(said) // neither side sees what the other changes
      setTimeout(() => hear(copy))
    }

    terminate() {
      this.frame.remove()
    }
  }
