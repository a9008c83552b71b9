module bare

go 1.25.0
