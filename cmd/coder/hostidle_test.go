package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// idling is a host without clients, and how long it has stood idle.
type idling struct {
	idleWatch
	tell chan struct{}
	come atomic.Bool // a client has been there
	busy atomic.Bool
	late atomic.Int32 // how often a client comes when the host wants to end
}

func newIdling(most time.Duration) *idling {
	d := &idling{tell: make(chan struct{}, 1)}
	d.idleWatch = idleWatch{
		most: most, changed: d.tell, stopped: make(chan struct{}), visited: d.come.Load, used: d.busy.Load,
		end: func() bool { return d.late.Add(-1) < 0 },
	}
	return d
}

// TestAHostSeesAVisitThatIsOver: a client that has come and gone before the host looks was its last one all the same.
func TestAHostSeesAVisitThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, began := newIdling(0), time.Now()
		d.come.Store(true)
		d.tell <- struct{}{}
		d.wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("it ended after %v", took)
		}
	})
}

// TestAHostWaitsForItsFirstVisit: nobody has come yet.
func TestAHostWaitsForItsFirstVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, began := newIdling(0), time.Now()
		d.tell <- struct{}{} // such as a job that has ended
		d.wait()
		if took := time.Since(began); took != firstVisit {
			t.Errorf("it ended after %v", took)
		}
	})
}

// TestAHostStaysForWhoComesAtItsEnd, and ends when that one has gone.
func TestAHostStaysForWhoComesAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newIdling(time.Minute)
		d.late.Store(1)
		d.come.Store(true)
		d.tell <- struct{}{}
		ended := make(chan struct{})
		go func() { d.wait(); close(ended) }()
		<-time.After(90 * time.Second)
		select {
		case <-ended:
			t.Fatal("it ended under its client")
		default:
		}
		<-time.After(31 * time.Second)
		<-ended
	})
}
